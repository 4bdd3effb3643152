import Checkpoint
import Transformer

/// Bytes on disk that a job needs.
public struct DiskEstimate: Sendable, Hashable {
  /// The checkpoint that is made; tokenizer and configuration files left out.
  public let artifact: Int
  /// Most at a time: finished blocks, the checkpoint that is put together from them, and what memory has no room for.
  public let peak: Int

  /// From the checkpoint's headers alone.
  ///
  /// - Parameter spools: Bytes that a `MemoryPlan` puts on disk.
  /// - Throws: `CheckpointError`.
  public init(_ quantizer: ModelQuantizer, spools: Int) throws {
    let source = try quantizer.checkpoint.tensorNames.reduce(0) { $0 + (try quantizer.checkpoint.info($1).byteCount) }
    var (replaced, packed) = (0, 0)
    for layer in quantizer.layers {
      guard let options = quantizer.plan[layer.name] else { continue }
      replaced += try quantizer.checkpoint.info(layer.name + ".weight").byteCount
      packed += Self.packedBytes(outputs: layer.outputs, inputs: layer.inputs, options)
    }
    artifact = source - replaced + packed
    peak = artifact + packed + spools
  }

  /// Codes, zero points, scales and group indices of a linear.
  private static func packedBytes(outputs: Int, inputs: Int, _ options: QuantizationOptions) -> Int {
    let length = options.groupLength(columns: inputs)
    let groups = (inputs + length - 1) / max(1, length)
    return outputs * inputs * options.bits / 8 + groups * outputs * options.bits / 8 + groups * outputs * 2 + inputs * 4
  }
}
