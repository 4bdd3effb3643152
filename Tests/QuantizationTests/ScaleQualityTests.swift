import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import Testing

/// Two layers of SmolLM2-135M with their Hessians over 8,192 tokens (golden/real).
@Suite struct ScaleQualityTests {
  @Test(
    "Search and refinement bring the loss of real layers to 0.82 of min–max scales at 4 bits and 0.71 at 3",
    arguments: ["layers.1.mlp.down_proj", "layers.12.self_attn.q_proj"], [(4, 0.82), (3, 0.71)])
  func improvesRealLayers(_ name: String, _ limit: (bits: Int, ratio: Double)) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/real/\(name).safetensors")
    let layers = CheckpointFolder(file: try SafetensorsFile(file), at: file)
    func matrix(_ tensor: String) throws -> Matrix<Float> {
      let shape = try layers.info(tensor).shape
      return Matrix(rows: shape[0], columns: shape[1], elements: try layers.floats(tensor))
    }
    let (weight, hessian) = (try matrix("weight"), Matrix<Double>(try matrix("hessian")))
    func quantize(search: Bool, refine: Bool) throws -> LayerQuantization {
      let options = QuantizationOptions(bits: limit.bits, groupSize: 64, damping: 0.01, searchesScales: search, refinesScales: refine)
      return try DampedHessian(SymmetricMatrix(hessian), options: options, ladder: DampingLadder(startingAt: 0.01))
        .quantize(weight, options: options, layer: name)
    }
    let plain = try quantize(search: false, refine: false).totals.loss
    let searched = try quantize(search: true, refine: false).totals.loss
    let refined = try quantize(search: false, refine: true).totals.loss
    let both = try quantize(search: true, refine: true)
    #expect(searched < plain && refined < plain)
    let options = QuantizationOptions()
    let (loss, kept) = (both.totals.loss, try #require(both.totals.kept(options).scaleSearch))
    #expect(loss <= limit.ratio * plain)
    #expect(kept > 0.9 && both.totals.kept(options).scaleRefinement == 1)
  }

  @Test("The measured loss is that of the stored weights, so nothing is kept that raises it", arguments: GoldenSolverCase.names)
  func measuresWhatIsStored(_ name: String) throws {
    let golden = try GoldenSolverCase(name)
    var options = golden.options
    (options.searchesScales, options.refinesScales) = (true, true)
    let ladder = DampingLadder(startingAt: options.damping, precision: .float64)
    let damped = try DampedHessian(SymmetricMatrix(golden.hessian), options: options, ladder: ladder)
    let result = try damped.quantize(golden.weight, options: options, layer: name)
    var target = Matrix<Double>(golden.weight)
    for row in 0..<target.rows {
      for column in damped.deadColumns { target[row, column] = 0 }
    }
    let stored = result.layer.dequantized()
    var loss = 0.0
    for row in 0..<target.rows {
      let error = (0..<target.columns).map { target[row, $0] - Double(stored[row, $0]) }
      for (column, value) in error.enumerated() where value != 0 {
        loss += value * zip(0..<target.columns, error).reduce(0.0) { $0 + golden.hessian[column, $1.0] * $1.1 }
      }
    }
    #expect(abs(result.totals.loss / loss - 1) < 1e-6)
    #expect(loss <= golden.loss * (1 + 1e-9))
  }
}
