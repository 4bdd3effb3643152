import Checkpoint
import Crypto
import Foundation
import Transformer

/// The packed linears of finished blocks, a safetensors file each, until the checkpoint is assembled from them; and hidden states
/// between blocks.
public struct BlockFiles: Sendable {
  let folder: URL

  /// Makes the folder.
  public init(in folder: URL) throws {
    self.folder = folder
    try DurableFile.makeFolder(folder, permissions: 0o700)
  }

  private func file(_ block: Int) -> URL {
    let number = String(block)
    return folder.appending(component: "block-" + String(repeating: "0", count: max(0, 5 - number.count)) + number + ".safetensors")
  }

  /// What a finished block leaves for those that come after it, besides its tensors.
  struct State: Codable, Sendable {
    let source: BlockSource
    let outcomes: [LayerOutcome]
    /// How many calibration sequences were in use after each lot, those that were dropped included.
    var lots: [Int] = []
    var dropped: [NonFiniteActivation] = []
    /// Largest magnitude of each operation.
    var peaks: [ActivationOperation: Float] = [:]
    /// What the next layer's log begins with.
    var pending: [Attempt] = []
    /// Shortages of tokens that the owner was told of.
    var shortages: [String] = []
    /// What the owner was told while the block was made.
    var warnings: [String] = []
  }

  /// Writes a block's linears and state durably: the file is complete or absent after a crash.
  func write(_ results: [LayerResult], _ state: State, block: Int) throws {
    let tensors = results.flatMap { result in result.packed.map { PackedTensors(module: result.outcome.layer.name, $0).all } ?? [] }
    let target = file(block)
    let temporary = target.appendingPathExtension("tmp")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let stateText = try encoder.encode(state)
    var hash = SHA256()
    hash.update(data: stateText)
    for tensor in tensors { try tensor.withBytes { hash.update(bufferPointer: $0) } }
    let metadata = [Self.stateKey: String(decoding: stateText, as: UTF8.self), Self.digestKey: hash.finalize().hexadecimal]
    var writer = try SafetensorsWriter(temporary, tensors: tensors.map(\.info), metadata: metadata)
    for tensor in tensors { try tensor.withBytes { try writer.write($0, of: tensor.info.name) } }
    try writer.finish()
    try DurableFile.move(temporary, to: target)
  }

  /// Removes the blocks from one on.
  func discard(from first: Int) {
    var end = first
    while FileManager.default.fileExists(atPath: file(end).path) { end += 1 }
    // The last one first: what a crash leaves is still without a gap.
    for block in (first..<end).reversed() { unlink(file(block).path) }
  }

  /// Frees the space of what can be computed again.
  public static func removeHiddenStates(in folder: URL) { SharedHiddenStates.removeAll(in: folder, butOf: nil) }

  func open(_ block: Int) throws -> SafetensorsFile { try SafetensorsFile(file(block)) }

  private static let stateKey = "gptqd.state"
  /// SHA-256 of the state's text and the tensors' bytes.
  private static let digestKey = "gptqd.sha256"

  /// The blocks that an earlier run finished, from the first on.
  public struct Survey: Sendable {
    let states: [State]
    /// Why the block that follows is made again although it is there, in words; nil where it isn't there.
    public let rejection: String?

    public var count: Int { states.count }
    public var outcomes: [LayerOutcome] { states.flatMap(\.outcomes) }
  }

  /// Reads what an earlier run left. Blocks that were made from another source, or whose bytes are no longer what was written, don't
  /// count, nor do those after them.
  ///
  /// - Throws: `CheckpointError` for a file that can't be read just now.
  public func survey(source: BlockSource) throws -> Survey {
    var states: [State] = []
    while FileManager.default.fileExists(atPath: file(states.count).path) {
      guard let state = try state(of: states.count) else {
        return Survey(states: states, rejection: "the file of block \(states.count) is damaged")
      }
      guard state.source == source else {
        let changes = source.changes(since: state.source).joined(separator: " and ")
        return Survey(states: states, rejection: "\(changes) changed since block \(states.count) was made")
      }
      states.append(state)
    }
    return Survey(states: states, rejection: nil)
  }

  /// nil where the file isn't as it was written.
  private func state(of block: Int) throws -> State? {
    let file: SafetensorsFile
    do {
      file = try open(block)
    } catch let error as CheckpointError {
      if error.isOfReading { throw error }
      return nil
    }
    guard let text = file.metadata[Self.stateKey] else { return nil }
    var hash = SHA256()
    hash.update(data: Data(text.utf8))
    for tensor in file.tensors { try file.withBytes(of: tensor.name) { hash.update(bufferPointer: $0) } }
    guard file.metadata[Self.digestKey] == hash.finalize().hexadecimal else { return nil }
    return try? JSONDecoder().decode(State.self, from: Data(text.utf8))
  }
}

/// What finished blocks were made from: digests by what they are of, such as "the dataset".
public struct BlockSource: Codable, Hashable, Sendable {
  let digests: [String: String]

  public init(_ digests: [String: String]) { self.digests = digests }

  /// Names of what is different, sorted.
  func changes(since other: BlockSource) -> [String] {
    Set(digests.keys).union(other.digests.keys).filter { digests[$0] != other.digests[$0] }.sorted()
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
