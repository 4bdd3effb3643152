import Foundation
import LinearAlgebra

/// What `gptqd check` says about the numeric libraries.
public enum EngineChecks {
  /// Factors a small matrix whose factor is known, so that a BLAS that doesn't work is found before a job does.
  public static func run() -> [CheckResult] {
    let description = "\(BLASLibrary.configuration.trimmingCharacters(in: .whitespaces)), \(Cores.perJob) cores for each job"
    let matrix = Matrix<Float>(rows: 2, columns: 2, elements: [5, 2, 2, 4])
    guard let factor = try? ReverseCholesky(matrix).factor, factor[0, 0] == 2, factor[0, 1] == 1, factor[1, 1] == 2 else {
      return [
        CheckResult(
          name: "BLAS", passed: false,
          detail: "\(description): LAPACK's potrf gives a wrong factor; choose OpenBLAS with update-alternatives --config liblapack.so.3")
      ]
    }
    return [CheckResult(name: "BLAS", passed: true, detail: description)]
  }
}
