import Crypto
import Foundation

/// Size and SHA-256 of a file.
public struct FileDigest: Sendable, Hashable {
  /// Bytes.
  public let size: Int
  /// Lower-case hexadecimal.
  public let sha256: String

  /// Reads the file from its start.
  public init(of file: URL, checkCancellation: () throws -> Void) throws {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    try self.init(of: handle, checkCancellation: checkCancellation)
  }

  /// Reads from where the handle is to the end.
  public init(of handle: FileHandle, checkCancellation: () throws -> Void) throws {
    var hash = SHA256()
    var size = 0
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      try checkCancellation()
      hash.update(data: chunk)
      size += chunk.count
    }
    self.size = size
    sha256 = hash.finalize().hexadecimal
  }
}

/// Digests of the files of a finished artifact.
public struct ArtifactDigest: Sendable, Hashable {
  public struct File: Sendable, Hashable {
    /// Relative to the artifact.
    public let path: String
    public let digest: FileDigest
  }

  /// Sorted by path.
  public let files: [File]
  /// 40 hexadecimal digits that depend on the files' paths and contents only.
  public let revision: String

  /// Reads every file of the folder.
  public init(of folder: URL, checkCancellation: () throws -> Void) throws {
    files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
      File(path: name, digest: try FileDigest(of: folder.appending(component: name), checkCancellation: checkCancellation))
    }
    var manifest = SHA256()
    for file in files { manifest.update(data: Data("\(file.path)\0\(file.digest.sha256)\n".utf8)) }
    revision = String(manifest.finalize().hexadecimal.prefix(40))
  }
}

extension Digest {
  /// Lower case.
  public var hexadecimal: String { map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined() }
}
