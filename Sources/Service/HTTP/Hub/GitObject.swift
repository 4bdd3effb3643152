import Crypto
import Foundation
import Quantization

/// Names that git gives to contents (gitformat-pack(5), "git hash-object"): SHA-1 of a header and the content, 40 hexadecimal digits.
package enum GitObject {
  /// Hashes a blob as its bytes come.
  struct BlobHasher {
    private var hash = Insecure.SHA1()

    /// - Parameter size: Bytes of the whole.
    init(size: Int) { hash.update(data: Data("blob \(size)\0".utf8)) }

    mutating func update(_ data: Data) { hash.update(data: data) }

    func oid() -> String { hash.finalize().hexadecimal }
  }

  /// An entry of a folder.
  package struct Entry: Sendable {
    let name: String
    let isFolder: Bool
    let oid: String

    package init(name: String, isFolder: Bool, oid: String) {
      (self.name, self.isFolder, self.oid) = (name, isFolder, oid)
    }

    /// Folders sort as if their names ended with a slash.
    fileprivate var key: [UInt8] { Array((isFolder ? name + "/" : name).utf8) }

    fileprivate var bytes: Data {
      let digits = Array(oid.utf8)
      let binary = stride(from: 0, to: digits.count - 1, by: 2).map {
        UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0
      }
      return Data("\(isFolder ? "40000" : "100644") \(name)\0".utf8) + binary
    }
  }

  package static func oid(ofBlob data: Data) -> String {
    var hasher = BlobHasher(size: data.count)
    hasher.update(data)
    return hasher.oid()
  }

  package static func oid(ofTree entries: [Entry]) -> String {
    let content = entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }.reduce(into: Data()) { $0 += $1.bytes }
    return Insecure.SHA1.hash(data: Data("tree \(content.count)\0".utf8) + content).hexadecimal
  }
}

/// What git keeps in place of a large file (git-lfs, docs/spec.md).
package struct LFSPointer: Sendable, Hashable {
  /// Of the large file.
  package let sha256: String
  /// Bytes of the large file.
  package let size: Int

  package init(sha256: String, size: Int) {
    (self.sha256, self.size) = (sha256, size)
  }

  package var data: Data { Data("version https://git-lfs.github.com/spec/v1\noid sha256:\(sha256)\nsize \(size)\n".utf8) }
}
