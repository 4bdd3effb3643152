import JobModel
import Quantization
import StrictJSON

/// A commit and the files that it has at its top; all that the Hub said is checked.
struct HubListing: Sendable, Hashable {
  let commit: String
  /// Those that a job may need, by name.
  private let files: [String: ListedFile]

  /// Bytes of the answer, JSON values in it, files of a repository.
  static let (sizeLimit, valueLimit, countLimit) = (16 << 20, 500_000, 50_000)
  /// Bytes of a file of tensors, of another file, of the index.
  private static let (weightsLimit, textLimit, indexLimit) = (1 << 46, 1 << 30, 32 << 20)

  private static let (configuration, index, weights, ending) = (
    "config.json", "model.safetensors.index.json", "model.safetensors", ".safetensors"
  )

  /// - Throws: `HubError.malformed`.
  init(_ body: HubMemoryBody, of reference: HubReference) throws(HubError) {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: body.bytes, depthLimit: 32, valueLimit: Self.valueLimit)
    } catch {
      let isPage = body.contentType?.lowercased().hasPrefix("text/html") == true
      throw .malformed("the listing is no JSON: \(isPage ? "it is a page of HTML" : error.description)")
    }
    guard let commit = json["sha"]?.stringValue, HubReference.isCommit(commit) else {
      throw .malformed("the listing has no sha of 40 hexadecimal digits")
    }
    if let wanted = reference.commit ?? (HubReference.isCommit(reference.revision) ? reference.revision : nil), wanted != commit {
      throw .malformed("the listing is of another commit than \(wanted)")
    }
    guard let siblings = json["siblings"]?.arrayValue, siblings.count <= Self.countLimit else {
      throw .malformed("the listing has no list of at most \(Self.countLimit) siblings")
    }
    var names: Set<String> = []
    var files: [String: ListedFile] = [:]
    for sibling in siblings {
      guard let name = sibling["rfilename"]?.stringValue, Self.isPath(name) else { throw .malformed("a file has no proper rfilename") }
      guard names.insert(name).inserted else { throw .malformed("a file is listed twice") }
      if Self.mayBeNeeded(name) { files[name] = try Self.file(name, sibling) }
    }
    self.commit = commit
    self.files = files
  }

  /// Relative, and staying below.
  private static func isPath(_ text: String) -> Bool {
    (1...1024).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
      && text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
  }

  /// By its name: no other is downloaded.
  private static func mayBeNeeded(_ name: String) -> Bool {
    name == configuration || name == index || ArtifactAssembler.copiedFiles.contains(name)
      || name.hasSuffix(ending) && ResourceName.isValid(name) && !name.hasPrefix(".")
  }

  private static func file(_ name: String, _ json: JSONValue) throws(HubError) -> ListedFile {
    let limit = name.hasSuffix(ending) ? weightsLimit : name == index ? indexLimit : textLimit
    guard let size = json["size"]?.intValue, (0...limit).contains(size) else {
      throw .malformed("\(name) has no size from 0 to \(limit) bytes")
    }
    if let lfs = json["lfs"], !lfs.isNull {
      guard let sha256 = (lfs["sha256"] ?? lfs["oid"])?.stringValue, isHexadecimal(sha256, digits: 64), lfs["size"]?.intValue == size else {
        throw .malformed("\(name) has an lfs without sha256 or with another size")
      }
      return ListedFile(name: name, size: size, digest: .sha256(sha256))
    }
    guard let blob = json["blobId"]?.stringValue, isHexadecimal(blob, digits: 40) else {
      throw .malformed("\(name) has neither lfs nor blobId, so that it couldn't be verified")
    }
    return ListedFile(name: name, size: size, digest: .git(blob))
  }

  private static func isHexadecimal(_ text: String, digits: Int) -> Bool {
    text.utf8.count == digits && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// - Throws: `HubError.unusable`.
  func configurationFile() throws(HubError) -> ListedFile {
    guard let file = files[Self.configuration] else { throw .unusable("the repository has no config.json at its top") }
    return file
  }

  /// Names the files of tensors; nil where there is one file of a fixed name.
  func indexFile() throws(HubError) -> ListedFile? {
    if files[Self.weights] != nil { return nil }
    guard let file = files[Self.index] else {
      throw .unusable("the repository has neither model.safetensors nor model.safetensors.index.json at its top")
    }
    return file
  }

  /// What a job needs, and nothing else: configuration, tokenizer, weights and their index.
  ///
  /// - Parameter index: The bytes of `indexFile`.
  /// - Throws: `HubError.malformed`.
  func neededFiles(index: [UInt8]?) throws(HubError) -> [ListedFile] {
    let texts = files.values.filter { !$0.name.hasSuffix(Self.ending) && $0.name != Self.index }
    guard let index, let indexFile = files[Self.index] else {
      return (texts + [files[Self.weights]].compactMap(\.self)).sorted { $0.name < $1.name }
    }
    var shards: [ListedFile] = []
    for name in try Self.shards(index) {
      guard let file = files[name] else { throw .unusable("the repository's index names \(name), which it hasn't got") }
      shards.append(file)
    }
    return (texts + [indexFile] + shards).sorted { $0.name < $1.name }
  }

  private static func shards(_ index: [UInt8]) throws(HubError) -> Set<String> {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: index, depthLimit: 16, valueLimit: 2_000_000)
    } catch {
      throw .unusable("the repository's \(Self.index) is no JSON: \(error)")
    }
    guard let map = json["weight_map"]?.objectValue, !map.isEmpty else {
      throw .unusable("the repository's \(Self.index) has no weight_map")
    }
    var names: Set<String> = []
    for (_, value) in map.members {
      guard let name = value.stringValue, name.hasSuffix(ending), ResourceName.isValid(name), !name.hasPrefix(".") else {
        throw .unusable("the repository's \(Self.index) names a file that is no .safetensors file at its top")
      }
      names.insert(name)
    }
    return names
  }
}
