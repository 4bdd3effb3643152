import Checkpoint
import Foundation
import Transformer

/// The packed linears of finished blocks, a safetensors file each, until the checkpoint is assembled from them.
public struct BlockFiles: Sendable {
  private let folder: URL

  /// Makes the folder.
  public init(in folder: URL) throws {
    self.folder = folder
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func file(_ block: Int) -> URL {
    let number = String(block)
    return folder.appending(component: "block-" + String(repeating: "0", count: max(0, 5 - number.count)) + number + ".safetensors")
  }

  /// Writes a block's linears durably: the file is complete or absent after a crash.
  func write(_ results: [LayerQuantizationResult], block: Int) throws {
    let tensors = results.flatMap { PackedTensors(module: $0.outcome.layer.name, $0.packed).all }
    let target = file(block)
    let temporary = target.appendingPathExtension("tmp")
    var writer = try SafetensorsWriter(temporary, tensors: tensors.map(\.info), metadata: [:])
    for tensor in tensors { try tensor.withBytes { try writer.write($0, of: tensor.info.name) } }
    try writer.finish()
    try FileManager.default.moveItem(at: temporary, to: target)
    try DurableFile.syncFolder(folder)
  }

  func open(_ block: Int) throws -> SafetensorsFile { try SafetensorsFile(file(block)) }
}

/// The tensors of a packed linear by their names in the checkpoint.
private struct PackedTensors {
  struct Tensor {
    let info: TensorInfo
    let withBytes: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  }

  let all: [Tensor]

  init(module: String, _ packed: PackedLayer) {
    func tensor(_ suffix: String, _ type: ScalarType, _ shape: [Int], _ values: [some BitwiseCopyable]) -> Tensor {
      Tensor(info: TensorInfo(name: module + "." + suffix, type: type, shape: shape)) { body in try values.withUnsafeBytes(body) }
    }
    let groups = packed.groupCount
    all = [
      tensor("qweight", .int32, [packed.columns * packed.bits / 32, packed.rows], packed.qweight),
      tensor("qzeros", .int32, [groups, packed.rows * packed.bits / 32], packed.qzeros),
      tensor("scales", .float16, [groups, packed.rows], packed.scales),
      tensor("g_idx", .int32, [packed.columns], packed.groupIndices),
    ]
  }
}
