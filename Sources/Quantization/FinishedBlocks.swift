import Checkpoint
import LinearAlgebra
import Transformer

/// Blocks that are quantized already, for calibration sequences that have to pass them.
struct FinishedBlocks {
  let checkpoint: CheckpointFolder
  let configuration: ModelConfiguration
  let format: QuantizationOptions.Format
  let files: BlockFiles
  /// Of the blocks that an earlier start of the job finished.
  let states: [BlockFiles.State]

  /// A block as it was and as it is now.
  func block(_ index: Int, length: Int) throws -> (original: DecoderBlock, quantized: DecoderBlock) {
    let original = try DecoderBlock(index, of: configuration, from: checkpoint, length: length)
    var quantized = original
    let file = try files.open(index)
    let stored = Set(file.tensors.map(\.name))
    for layer in configuration.linears(ofBlock: index) where stored.contains(layer.name + ".qweight") {
      let packed = try PackedLayer(layer.name, rows: layer.outputs, columns: layer.inputs, in: file)
      quantized.replaceWeight(at: layer.place, with: packed.unpacked(format: format).dequantized())
    }
    return (original, quantized)
  }
}

extension PackedLayer {
  /// Reads a packed linear that `BlockFiles` wrote.
  init(_ module: String, rows: Int, columns: Int, in file: SafetensorsFile) throws {
    func values<Value: BitwiseCopyable>(_ suffix: String) throws -> [Value] {
      try file.withBytes(of: module + suffix) { bytes in
        stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
      }
    }
    let qweight: [Int32] = try values(".qweight")
    self.init(
      rows: rows, columns: columns, bits: qweight.count * 32 / (rows * columns), qweight: qweight, qzeros: try values(".qzeros"),
      scales: try values(".scales"), groupIndices: try values(".g_idx"))
  }
}
