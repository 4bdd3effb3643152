import Checkpoint
import Foundation
import LinearAlgebra
import Transformer

/// A GPTQ checkpoint read back as float32 weights, for evaluation.
public struct QuantizedCheckpoint: TensorSource {
  private let folder: CheckpointFolder
  private let format: QuantizationOptions.Format

  /// - Throws: `CheckpointError`.
  public init(_ folder: URL, format: QuantizationOptions.Format) throws {
    self.folder = try CheckpointFolder(folder)
    self.format = format
  }

  private func packedName(_ name: String) -> String? {
    guard name.hasSuffix(".weight") else { return nil }
    let module = String(name.dropLast(".weight".count))
    return folder.contains(module + ".qweight") ? module : nil
  }

  public func contains(_ name: String) -> Bool { folder.contains(name) || packedName(name) != nil }

  public func shape(of name: String) throws -> [Int] {
    guard let module = packedName(name) else { return try folder.shape(of: name) }
    return [try folder.info(module + ".qweight").shape[1], try folder.info(module + ".g_idx").shape[0]]
  }

  public func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    guard let module = packedName(name) else { return try folder.readRows(rows, of: name, into: buffer) }
    // Rows at whose ends zero points end with a word.
    let count = try shape(of: name)[0]
    let window = rows.lowerBound / 32 * 32..<min(count, (rows.upperBound + 31) / 32 * 32)
    let weights = try layer(module, rows: window).dequantized()
    let first = (rows.lowerBound - window.lowerBound) * weights.columns
    _ = buffer.update(from: weights.elements[first..<first + rows.count * weights.columns])
  }

  /// The layer of that module name, unpacked.
  ///
  /// - Parameter rows: nil: all; else they begin and end where zero points fill whole words.
  public func layer(_ module: String, rows: Range<Int>? = nil) throws -> QuantizedLayer {
    let (qweight, zeros) = (module + ".qweight", module + ".qzeros")
    let indices: [Int32] = try values(module + ".g_idx", in: nil)
    let count = try folder.info(qweight).shape[1]
    let bits = try folder.info(qweight).shape[0] * 32 / max(1, indices.count)
    let rows = rows ?? 0..<count
    let words = rows.lowerBound * bits / 32..<rows.upperBound * bits / 32
    return PackedLayer(
      rows: rows.count, columns: indices.count, bits: bits, qweight: try values(qweight, in: rows), qzeros: try values(zeros, in: words),
      scales: try values(module + ".scales", in: rows), groupIndices: indices
    ).unpacked(format: format)
  }

  /// - Parameter columns: Of a matrix; nil: all that the tensor holds.
  private func values<Value: BitwiseCopyable>(_ name: String, in columns: Range<Int>?) throws -> [Value] {
    let shape = try folder.info(name).shape
    let width = shape.last ?? 1
    let columns = columns ?? 0..<width
    let lines = shape.dropLast().reduce(1, *)
    let (size, count) = (MemoryLayout<Value>.stride, columns.count)
    return try folder.withBytes(of: name) { bytes in
      [Value](unsafeUninitializedCapacity: lines * count) { buffer, initialized in
        let target = UnsafeMutableRawBufferPointer(buffer)
        for line in 0..<lines {
          let first = (line * width + columns.lowerBound) * size
          UnsafeMutableRawBufferPointer(rebasing: target[line * count * size..<(line + 1) * count * size])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + count * size]))
        }
        initialized = lines * count
      }
    }
  }
}
