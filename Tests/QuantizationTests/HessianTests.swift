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
  func addsChunks() {
    var accumulator = HessianAccumulator(columns: 5)
    for range in [0..<7, 7..<8, 8..<40] { accumulator.add(rows(range)) }
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

  @Test("Inputs whose squares are beyond float32 are added in float64")
  func addsHugeInputs() {
    var accumulator = HessianAccumulator(columns: 5)
    accumulator.add(rows(0..<7))
    var huge = rows(7..<8)
    huge[0, 2] = 1e25
    accumulator.add(huge)
    let expected = 2 / 8.0 * Double(Float(1e25)) * Double(Float(1e25))
    let hessian = accumulator.hessian()
    #expect(abs(hessian[2, 2] / expected - 1) < 1e-12)
    #expect((0..<5).allSatisfy { row in (0..<5).allSatisfy { hessian[row, $0].isFinite } })
  }
}
