import LinearAlgebra
import Quantization
import Testing

@Suite struct DampedHessianTests {
  private let options = QuantizationOptions(groupSize: 2, ordering: .none, damping: 0.01)

  private func diagonal(_ values: [Double]) -> Matrix<Double> {
    var matrix = Matrix<Double>(rows: values.count, columns: values.count)
    for (index, value) in values.enumerated() { matrix[index, index] = value }
    return matrix
  }

  @Test("A healthy Hessian takes one try at the first damping")
  func succeedsAtOnce() throws {
    let damped = try DampedHessian(SymmetricMatrix(diagonal([1, 2, 3, 2])), options: options, ladder: DampingLadder(startingAt: 0.01))
    #expect(damped.attempts.map(\.succeeded) == [true])
    #expect(damped.damping == 0.01)
    #expect(damped.addedDiagonal == 0.02)
    #expect(damped.attempts[0].info == 0)
  }

  @Test("Rounding is cured by float64 at the same damping, and the first try says so")
  func curesRoundingInFloat64() throws {
    // Eigenvalues 2·10⁶ and 10⁻³: beyond float32's 24 bits, well within float64's.
    let hessian = Matrix<Double>(rows: 2, columns: 2, elements: [1e6, 1e6 - 1e-3, 1e6 - 1e-3, 1e6])
    let damped = try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0))
    #expect(damped.attempts.map(\.precision) == [.float32, .float64])
    #expect(damped.attempts.map(\.cause) == [.rounding, nil])
    #expect(damped.damping == 0)
    #expect(damped.attempts[0].info > 0)
  }

  @Test("A rank-deficient Hessian climbs the ladder")
  func climbs() throws {
    // Eigenvalues 2.15 and −0.15 around a mean diagonal of 1: needs more than 0.15.
    let hessian = Matrix<Double>(rows: 2, columns: 2, elements: [1, 1.15, 1.15, 1])
    let damped = try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0.01))
    #expect(damped.damping == 0.2)
    #expect(damped.attempts.map(\.damping) == [0.01, 0.01, 0.02, 0.05, 0.1, 0.2])
    #expect(damped.attempts.map(\.precision) == [.float32] + Array(repeating: .float64, count: 5))
    #expect(damped.attempts.dropLast().allSatisfy { $0.cause == .rankDeficient && $0.info > 0 })
    #expect(damped.attempts.map(\.number) == Array(1...6))
  }

  @Test("What no damping cures fails with every try kept")
  func givesUp() throws {
    let hessian = Matrix<Double>(rows: 2, columns: 2, elements: [1, 5, 5, 1])
    let failure = try #require(throws: DampedHessian.Failure.self) {
      try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0.01))
    }
    #expect(failure.attempts.count == 8)
    #expect(failure.attempts.last?.cause == .incurable)
    #expect(failure.attempts.last?.damping == 1)
  }

  @Test("NaN in a Hessian never passes for a factor, though potrf says 0", arguments: [(0, 0), (1, 3)])
  func catchesNaN(_ row: Int, _ column: Int) throws {
    var hessian = diagonal([1, 2, 3, 2])
    (hessian[row, column], hessian[column, row]) = (.nan, .nan)
    let failure = try #require(throws: DampedHessian.Failure.self) {
      try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0.01))
    }
    #expect(failure.attempts.allSatisfy { !$0.succeeded })
  }

  @Test("Dead columns get weights of 0 and leave the others as they would be without them")
  func isolatesDeadColumns() throws {
    let hessian = diagonal([1, 0, 3, 2])
    let damped = try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0.01))
    #expect(damped.deadColumns == [1])
    let weight = Matrix<Float>(rows: 1, columns: 4, elements: [1, 9, 0.5, -0.25])
    let result = try damped.quantize(weight, options: options, layer: "test")
    #expect(result.layer.dequantized()[0, 1] == 0)
    #expect(abs(result.layer.dequantized()[0, 0] - 1) < 0.1)  // its grid isn't widened by the dead 9
  }

  @Test("The ladder starts where it is told and rises")
  func buildsTheLadder() {
    #expect(DampingLadder(startingAt: 0.03).steps == [0.03, 0.05, 0.1, 0.2, 0.5, 1])
    #expect(DampingLadder(startingAt: 1).steps == [1])
  }
}
