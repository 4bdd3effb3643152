import Foundation
import StrictJSON

/// A checkpoint in Hugging Face layout: `model.safetensors`, or shards with `model.safetensors.index.json`.
public struct CheckpointFolder: Sendable {
  public let folder: URL
  /// Names of the weight files, sorted.
  public let files: [String]
  /// Names of all tensors, sorted.
  public let tensorNames: [String]
  private let opened: [SafetensorsFile]
  /// Which of `opened` holds a tensor.
  private let locations: [ExactString: Int]
  /// Tensors that are parts of stored ones.
  private let parts: [ExactString: NamedPart]

  private static let singleFile = "model.safetensors"
  private static let indexFile = "model.safetensors.index.json"

  /// Opens and checks all weight files.
  ///
  /// - Throws: `CheckpointError`.
  public init(_ folder: URL) throws(CheckpointError) {
    self.folder = folder
    let promised: [String: [String]]?
    if FileManager.default.fileExists(atPath: folder.appending(component: Self.singleFile).path) {
      files = [Self.singleFile]
      promised = nil
    } else if FileManager.default.fileExists(atPath: folder.appending(component: Self.indexFile).path) {
      let shards = try Self.shards(folder.appending(component: Self.indexFile))
      files = shards.keys.sorted()
      promised = shards
    } else {
      throw .noWeights(folder: folder.lastPathComponent)
    }
    var opened: [SafetensorsFile] = []
    var locations: [ExactString: Int] = [:]
    for (index, file) in files.enumerated() {
      let url = folder.appending(component: file)
      if let promised, !FileManager.default.fileExists(atPath: url.path) {
        throw .missingShard(file: file, tensors: promised[file]?.count ?? 0)
      }
      let shard = try SafetensorsFile(url)
      for tensor in shard.tensors {
        if let other = locations.updateValue(index, forKey: ExactString(tensor.name)) {
          throw .doubledTensor(tensor.name, files: [files[other], file])
        }
      }
      for tensor in promised?[file] ?? [] where !shard.contains(tensor) { throw .missingFromShard(tensor: tensor, file: file) }
      opened.append(shard)
    }
    self.opened = opened
    self.locations = locations
    parts = [:]
    tensorNames = locations.keys.map(\.string).sorted()
  }

  init(_ other: CheckpointFolder, parts: [String: NamedPart], names: [String]) {
    (folder, files, opened, locations) = (other.folder, other.files, other.opened, other.locations)
    self.parts = Dictionary(uniqueKeysWithValues: parts.map { (ExactString($0.key), $0.value) })
    tensorNames = names
  }

  /// A single file of tensors that has no folder of its own.
  public init(file: SafetensorsFile, at url: URL) {
    folder = url.deletingLastPathComponent()
    files = [url.lastPathComponent]
    opened = [file]
    locations = Dictionary(uniqueKeysWithValues: file.tensors.map { (ExactString($0.name), 0) })
    parts = [:]
    tensorNames = locations.keys.map(\.string).sorted()
  }

  /// The tensors that each shard should hold.
  private static func shards(_ index: URL) throws(CheckpointError) -> [String: [String]] {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: Array(Data(contentsOf: index)))
    } catch let error as JSONSyntaxError {
      throw .invalidIndex(reason: "is \(error)")
    } catch {
      throw .cannotRead(file: indexFile, reason: error.reason)
    }
    guard let weightMap = json["weight_map"]?.objectValue else { throw .invalidIndex(reason: "has no object weight_map") }
    guard !weightMap.isEmpty else { throw .invalidIndex(reason: "has an empty weight_map") }
    var shards: [String: [String]] = [:]
    for (tensor, file) in weightMap.members {
      let shownTensor = tensor.prefix(120)
      guard let file = file.stringValue else { throw .invalidIndex(reason: "has no file name for tensor \(shownTensor)") }
      // By bytes: a slash and a combining mark are one Character, which isn't "/".
      guard !file.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }), file.hasSuffix(".safetensors") else {
        throw .invalidIndex(reason: "names \"\(file.prefix(120))\" for tensor \(shownTensor), which isn't a plain .safetensors file name")
      }
      shards[file, default: []].append(tensor)
    }
    return shards
  }

  public func contains(_ name: String) -> Bool { parts[ExactString(name)] != nil || locations[ExactString(name)] != nil }

  /// - Throws: `CheckpointError.missingTensor`.
  public func info(_ name: String) throws(CheckpointError) -> TensorInfo {
    if let part = parts[ExactString(name)] { return part.info }
    return try file(of: name).info(name)
  }

  /// Lends a tensor's bytes, valid inside `body` only; they may be unaligned for the tensor's type.
  ///
  /// - Throws: `CheckpointError.missingTensor`, and what `body` throws.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    guard let part = parts[ExactString(name)] else { return try file(of: name).withBytes(of: name, body) }
    return try file(of: part.tensor).withBytes(of: part.tensor) { try body(UnsafeRawBufferPointer(rebasing: $0[part.bytes])) }
  }

  /// Tells the kernel that the tensor's pages needn't stay in memory.
  public func releaseCachedPages(of name: String) {
    let part = parts[ExactString(name)]
    let tensor = part?.tensor ?? name
    (try? file(of: tensor))?.releaseCachedPages(of: tensor, part?.bytes)
  }

  private func file(of name: String) throws(CheckpointError) -> SafetensorsFile {
    guard let location = locations[ExactString(name)] else { throw .missingTensor(name) }
    return opened[location]
  }
}
