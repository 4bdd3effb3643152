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

  /// What a finished block leaves for those that come after it, besides its tensors.
  struct State: Codable, Sendable {
    /// Fingerprint of what the block was made from.
    let source: String
    let outcomes: [LayerOutcome]
    /// Calibration sequences in use, those that were dropped included.
    let samples: Int
    let dropped: [NonFiniteActivation]
    /// Largest magnitude of each operation.
    let peaks: [ActivationOperation: Float]
  }

  /// Writes a block's linears and state durably: the file is complete or absent after a crash.
  func write(_ results: [LayerResult], _ state: State, block: Int) throws {
    let tensors = results.flatMap { result in result.packed.map { PackedTensors(module: result.outcome.layer.name, $0).all } ?? [] }
    let target = file(block)
    let temporary = target.appendingPathExtension("tmp")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let metadata = [Self.stateKey: String(decoding: try encoder.encode(state), as: UTF8.self)]
    var writer = try SafetensorsWriter(temporary, tensors: tensors.map(\.info), metadata: metadata)
    for tensor in tensors { try tensor.withBytes { try writer.write($0, of: tensor.info.name) } }
    try writer.finish()
    guard rename(temporary.path, target.path) == 0 else { throw POSIXError.current }
    try DurableFile.syncFolder(folder)
  }

  func open(_ block: Int) throws -> SafetensorsFile { try SafetensorsFile(file(block)) }

  private static let stateKey = "gptqd.state"

  /// How many blocks an earlier run finished, from the first on.
  public func finishedCount(source: String) -> Int { finished(source: source).count }

  /// States of the blocks that an earlier run finished, from the first on; those made from another source don't count.
  func finished(source: String) -> [State] {
    var states: [State] = []
    while let file = try? open(states.count), let text = file.metadata[Self.stateKey],
      let state = try? JSONDecoder().decode(State.self, from: Data(text.utf8)), state.source == source
    {
      states.append(state)
    }
    return states
  }
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
