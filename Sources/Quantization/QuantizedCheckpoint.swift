import Checkpoint
import Foundation
import LinearAlgebra
import Transformer

/// A GPTQ checkpoint read back as float32 weights, for evaluation.
public struct QuantizedCheckpoint: TensorSource {
  private let folder: CheckpointFolder
  private let options: QuantizationOptions

  /// - Throws: `CheckpointError`.
  public init(_ folder: URL, options: QuantizationOptions) throws {
    self.folder = try CheckpointFolder(folder)
    self.options = options
  }

  private func packedName(_ name: String) -> String? {
    guard name.hasSuffix(".weight") else { return nil }
    let module = String(name.dropLast(".weight".count))
    return folder.contains(module + ".qweight") ? module : nil
  }

  public func contains(_ name: String) -> Bool { folder.contains(name) || packedName(name) != nil }

  public func shape(of name: String) throws -> [Int] {
    guard let module = packedName(name) else { return try folder.shape(of: name) }
    let packed = try folder.info(module + ".qweight").shape
    return [packed[1], packed[0] * 32 / options.bits]
  }

  public func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    guard let module = packedName(name) else { return try folder.readRows(rows, of: name, into: buffer) }
    let weights = try layer(module).dequantized()
    _ = buffer.update(from: weights.elements[rows.lowerBound * weights.columns..<rows.upperBound * weights.columns])
  }

  /// The layer of that module name, unpacked.
  public func layer(_ module: String) throws -> QuantizedLayer {
    let shape = try shape(of: module + ".weight")
    return PackedLayer(
      rows: shape[0], columns: shape[1], bits: options.bits, qweight: try values(module + ".qweight"),
      qzeros: try values(module + ".qzeros"), scales: try values(module + ".scales"), groupIndices: try values(module + ".g_idx")
    ).unpacked(format: options.format)
  }

  private func values<Value: BitwiseCopyable>(_ name: String) throws -> [Value] {
    try folder.withBytes(of: name) { bytes in
      stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
    }
  }
}
