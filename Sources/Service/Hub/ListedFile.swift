import Crypto
import Foundation

/// A file of a repository, as the Hub lists it.
struct ListedFile: Sendable, Hashable {
  enum Digest: Sendable, Hashable {
    case sha256(String)
    /// SHA-1 of "blob", the size and the bytes.
    case git(String)
  }

  let name: String
  /// Bytes.
  let size: Int
  let digest: Digest

  /// - Throws: `HubError.wrongBytes` and `.cancelled`, what reading throws.
  func verify(_ file: URL, isCancelled: () -> Bool) throws {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    var size = 0
    var (sha256, sha1) = (SHA256(), Insecure.SHA1())
    sha1.update(data: Data("blob \(self.size)\0".utf8))
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      if isCancelled() { throw HubError.cancelled }
      size += chunk.count
      switch digest {
      case .sha256: sha256.update(data: chunk)
      case .git: sha1.update(data: chunk)
      }
    }
    try check(size: size, sha256: sha256.finalize().hexadecimal, git: sha1.finalize().hexadecimal)
  }

  /// - Throws: `HubError.wrongBytes`.
  func verify(_ bytes: [UInt8]) throws(HubError) {
    let git = Insecure.SHA1.hash(data: Data("blob \(size)\0".utf8) + bytes).hexadecimal
    try check(size: bytes.count, sha256: SHA256.hash(data: bytes).hexadecimal, git: git)
  }

  private func check(size: Int, sha256: String, git: String) throws(HubError) {
    guard size == self.size else { throw .wrongBytes(file: name, reason: "\(size) bytes instead of \(self.size)") }
    switch digest {
    case .sha256(let expected):
      guard sha256 == expected else { throw .wrongBytes(file: name, reason: "its SHA-256 is \(sha256), not \(expected)") }
    case .git(let expected):
      guard git == expected else { throw .wrongBytes(file: name, reason: "its git SHA-1 is \(git), not \(expected)") }
    }
  }
}
