import Crypto
import Foundation

/// Size and SHA-256 of the files of a finished artifact.
public struct ArtifactDigest: Sendable, Hashable {
  public struct File: Sendable, Hashable {
    /// Relative to the artifact.
    public let path: String
    /// Bytes.
    public let size: Int
    /// Lower-case hexadecimal.
    public let sha256: String
  }

  /// Sorted by path.
  public let files: [File]
  /// 40 hexadecimal digits that depend on the files' paths and contents only.
  public let revision: String

  /// Reads every file of the folder.
  public init(of folder: URL, checkCancellation: () throws -> Void) throws {
    files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
      let (size, sha256) = try Self.digest(of: folder.appending(component: name), checkCancellation: checkCancellation)
      return File(path: name, size: size, sha256: sha256)
    }
    var manifest = SHA256()
    for file in files { manifest.update(data: Data("\(file.path)\0\(file.sha256)\n".utf8)) }
    revision = String(Self.hexadecimal(manifest.finalize()).prefix(40))
  }

  private static func digest(of file: URL, checkCancellation: () throws -> Void) throws -> (size: Int, sha256: String) {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    var hash = SHA256()
    var size = 0
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      try checkCancellation()
      hash.update(data: chunk)
      size += chunk.count
    }
    return (size, hexadecimal(hash.finalize()))
  }

  private static func hexadecimal(_ digest: SHA256Digest) -> String {
    digest.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
  }
}
