import LinearAlgebra
import Quantization
import Testing

@Suite struct GPTQSolverTests {
  @Test("In float64 every code, scale and zero point is that of the classic algorithm", arguments: GoldenSolverCase.names)
  func equalsClassicAlgorithmInFloat64(_ name: String) throws {
    let golden = try GoldenSolverCase(name)
    let ladder = DampingLadder(startingAt: golden.options.damping, precision: .float64)
    let damped = try DampedHessian(SymmetricMatrix(golden.hessian), options: golden.options, ladder: ladder)
    let result = try damped.quantize(golden.weight, options: golden.options, layer: name)
    #expect(result.layer.codes.map(Int32.init) == golden.codes)
    #expect(result.layer.scales == golden.scales)
    #expect(result.layer.zeros.map(Int32.init) == golden.zeros)
    #expect(result.layer.groupIndices == golden.groupIndices)
    // Sums of some 10^4 float64 terms in another order, and the reference's own dequantized float32.
    #expect(abs(result.totals.loss / golden.loss - 1) < 1e-6)
    #expect(abs(result.totals.relativeLoss / golden.relativeLoss - 1) < 1e-6)
    #expect(result.layer.dequantized() == golden.dequantized)
  }

  @Test("In float32 at most 0.1 % of the codes differ and the loss is within 0.1 %", arguments: GoldenSolverCase.names)
  func agreesWithClassicAlgorithmInFloat32(_ name: String) throws {
    let golden = try GoldenSolverCase(name)
    let damped = try DampedHessian(
      SymmetricMatrix(golden.hessian), options: golden.options, ladder: DampingLadder(startingAt: golden.options.damping))
    #expect(damped.attempts.map(\.precision) == [.float32])
    let result = try damped.quantize(golden.weight, options: golden.options, layer: name)
    let different = zip(result.layer.codes, golden.codes).count { Int32($0) != $1 }
    #expect(Double(different) <= 0.001 * Double(golden.codes.count))
    #expect(abs(result.totals.loss / golden.loss - 1) < 0.001)
  }

  @Test("Packed words are those of the reference, bit for bit", arguments: GoldenSolverCase.names)
  func packsLikeTheReference(_ name: String) throws {
    let golden = try GoldenSolverCase(name)
    let layer = QuantizedLayer(
      rows: golden.weight.rows, columns: golden.weight.columns, bits: golden.options.bits, codes: golden.codes.map(UInt8.init),
      scales: golden.scales, zeros: golden.zeros.map(UInt8.init), groupIndices: golden.groupIndices)
    let (v1, v2) = (PackedLayer(layer, format: .v1), PackedLayer(layer, format: .v2))
    #expect(v2.qweight == (try golden.words("qweight")))
    if let zeros = try golden.words("qzeros_v1") { #expect(v1.qzeros == zeros) }
    if let zeros = try golden.words("qzeros_v2") { #expect(v2.qzeros == zeros) }
    #expect(v1.unpacked(format: .v1) == layer)
    #expect(v2.unpacked(format: .v2) == layer)
  }
}
