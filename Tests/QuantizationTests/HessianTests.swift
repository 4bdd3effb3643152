import LinearAlgebra
import Quantization
import Testing

@Suite struct HessianTests {
  private let inputs = Matrix<Float>(
    rows: 40, columns: 5, elements: (0..<200).map { Float(($0 * 37 % 101) - 50) / 16 })

  private func rows(_ range: Range<Int>) -> Matrix<Float> {
    Matrix(rows: range.count, columns: 5, elements: Array(inputs.elements[range.lowerBound * 5..<range.upperBound * 5]))
  }

  @Test("Chunks add up to 2/T·XᵀX")
  func addsChunks() throws {
    var accumulator = HessianAccumulator(columns: 5)
    for range in [0..<7, 7..<8, 8..<40] { try accumulator.add(rows(range)) }
    #expect(accumulator.tokens == 40)
    let hessian = accumulator.hessian()
    for row in 0..<5 {
      for column in 0..<5 {
        let expected = (0..<40).reduce(0.0) { $0 + Double(inputs[$1, row]) * Double(inputs[$1, column]) } / 20
        // Chunks are multiplied in float32.
        #expect(abs(hessian[row, column] - expected) < 1e-5 * abs(hessian[row, row]) + 1e-5)
      }
    }
  }

  @Test("NaN and infinity are found at their token and channel, and not added", arguments: [Float.nan, .infinity, -.infinity])
  func refusesNonFinite(_ value: Float) throws {
    var accumulator = HessianAccumulator(columns: 5)
    try accumulator.add(rows(0..<7))
    let before = accumulator.hessian()
    var bad = rows(7..<12)
    bad[3, 2] = value
    let error = try #require(throws: HessianAccumulator.NonFiniteInput.self) { try accumulator.add(bad) }
    #expect(error.token == 3)
    #expect(error.channel == 2)
    #expect(accumulator.tokens == 7)
    #expect(accumulator.hessian() == before)
  }
}
