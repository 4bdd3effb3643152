import Foundation

/// A file of a repository.
struct HubFile: Sendable, Hashable {
  /// Relative to the repository, with slashes.
  let path: String
  /// Bytes.
  let size: Int
}

extension HubFile {
  private static let textEndings: Set = ["json", "jsonl", "jinja", "md", "txt", "py", "yaml", "yml", "toml", "xml", "csv", "tsv", ""]
  /// The Hub takes larger ones only by way of Git LFS.
  static let textLimit = 10 << 20

  /// Whether git itself has the bytes; else it has a pointer to them.
  var isText: Bool { size <= Self.textLimit && Self.textEndings.contains(URL(filePath: "/" + path).pathExtension.lowercased()) }
}

/// How the contents of a file are named.
struct HubBlob: Sendable, Hashable {
  let file: HubFile
  let sha256: String
  /// Of what git has.
  let oid: String
  /// nil for a file that git itself has.
  let pointer: LFSPointer?

  /// - Parameter oid: Of the bytes, of a file that git itself has; nil for others.
  init(_ file: HubFile, sha256: String, oid: String?) {
    let pointer = oid == nil ? LFSPointer(sha256: sha256, size: file.size) : nil
    self.file = file
    self.sha256 = sha256
    self.oid = oid ?? GitObject.oid(ofBlob: pointer?.data ?? Data())
    self.pointer = pointer
  }
}
