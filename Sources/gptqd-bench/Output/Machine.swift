import Foundation
import LinearAlgebra

/// Where and when something was measured.
struct Machine: Encodable, Sendable {
  let processor: String
  /// Cores that jobs were allowed to use.
  let cores: Int
  /// The kernels that OpenBLAS chose.
  let blasCore: String
  let blas: String
  let date: String

  init() {
    let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
    let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
    processor = model ?? "unknown processor"
    cores = Cores.perJob
    blasCore = BLASLibrary.core
    blas = BLASLibrary.configuration
    date = Date().formatted(.iso8601)
  }

  var text: String { "\(processor), \(cores) cores, OpenBLAS \(blasCore), \(date)" }
}
