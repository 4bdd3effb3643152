import Checkpoint
import LinearAlgebra
import Transformer

/// Rows of the output head that are in memory at a time.
let headRowsAtOnce = 8192

extension LayerSolver {
  /// Quantizes a layer from its checkpoint, a few thousand rows at a time.
  ///
  /// - Parameters:
  ///   - start: When the layer's work began.
  ///   - work: Floating-point operations of all rows.
  func quantizeRows(
    of layer: LayerIdentity, _ preparation: Preparation, from checkpoint: CheckpointFolder, start: ContinuousClock.Instant, work: Double
  ) throws -> LayerResult {
    let name = layer.name + ".weight"
    defer { checkpoint.releaseCachedPages(of: name) }
    let parts = try stride(from: 0, to: layer.outputs, by: headRowsAtOnce).map { first in
      try observer.checkCancellation()
      let rows = first..<min(layer.outputs, first + headRowsAtOnce)
      let weight = try checkpoint.rows(rows, of: name, columns: layer.inputs)
      let part = try quantize(weight, of: layer, preparation).part
      try observer.did(work * Double(rows.count) / Double(layer.outputs))
      return part
    }
    return try finish(layer, parts, preparation, start: start)
  }
}
