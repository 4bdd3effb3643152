import LinearAlgebra
import Quantization
import Testing

@Suite struct GridTests {
  private func options(bits: Int = 4, symmetric: Bool = true, format: QuantizationOptions.Format = .v1) -> QuantizationOptions {
    QuantizationOptions(bits: bits, groupSize: nil, isSymmetric: symmetric, format: format)
  }

  private func round(_ values: [Float], _ options: QuantizationOptions) throws -> QuantizedLayer {
    try roundToNearest(Matrix(rows: 1, columns: values.count, elements: values), options: options, layer: "test")
  }

  @Test("A symmetric grid is centred and spans the largest magnitude")
  func spansSymmetrically() throws {
    let layer = try round([-7.5, 0, 3, 7.5], options())
    #expect(layer.scales == [1])
    #expect(layer.zeros == [8])
    #expect(layer.codes == [0, 8, 11, 15])  // −7.5 rounds to even, −8
  }

  @Test("An asymmetric grid always holds 0")
  func spansAsymmetrically() throws {
    let layer = try round([-3, 1, 12], options(symmetric: false))
    #expect(layer.scales == [1])
    #expect(layer.zeros == [3])
    #expect(layer.codes == [0, 4, 15])
  }

  @Test("Format v1 can't store a zero point of 0, so its grid starts at 1 and loses no weight; v2 uses 0")
  func keepsZeroStorable() throws {
    let values: [Float] = [0, 7, 14]
    let v1 = try round(values, options(symmetric: false))
    #expect(v1.zeros == [1])
    #expect(v1.dequantized().elements == values)
    let v2 = try round([0, 7, 15], options(symmetric: false, format: .v2))
    #expect(v2.zeros == [0])
    #expect(v2.dequantized().elements == [0, 7, 15])
  }

  @Test("Weights of 0 stay 0")
  func handlesZeros() throws {
    #expect(try round([0, 0, 0], options()).dequantized().elements == [0, 0, 0])
  }

  @Test("Weights below float16's smallest step become 0 without dividing by a scale of 0")
  func handlesUnderflow() throws {
    let layer = try round([1e-12, -1e-12], options())
    #expect(layer.scales == [Float16.leastNonzeroMagnitude])
    #expect(layer.dequantized().elements == [0, 0])
  }

  @Test("A scale beyond float16 is an error that names layer and weight")
  func refusesOverflow() throws {
    let error = try #require(throws: QuantizationError.self) { try round([1e7, 1], options()) }
    #expect(error == .scaleOverflow(layer: "test", largest: 1e7))
  }

  @Test("Every code survives packing, at all bits and in both formats", arguments: [2, 3, 4, 8], [QuantizationOptions.Format.v1, .v2])
  func packsAllCodes(_ bits: Int, _ format: QuantizationOptions.Format) {
    let (rows, columns, groups) = (32, 96, 3)
    let highest = 1 << bits
    let layer = QuantizedLayer(
      rows: rows, columns: columns, bits: bits, codes: (0..<rows * columns).map { UInt8($0 * 7 % highest) },
      scales: (0..<groups * rows).map { Float16($0 + 1) },
      zeros: (0..<groups * rows).map { UInt8(format == .v1 ? 1 + $0 % (highest - 1) : $0 % highest) },
      groupIndices: (0..<columns).map { Int32($0 / 32) })
    #expect(PackedLayer(layer, format: format).unpacked(format: format) == layer)
  }
}
