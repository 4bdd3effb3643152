import Checkpoint
import Foundation

/// SHA-256 of large files by the files' identities, kept over restarts. It can be removed at any time.
struct HashFile: Sendable {
  private static let capacity = 10_000

  private let url: URL?
  private(set) var hashes: [String: String]

  /// - Parameter url: nil: nothing is kept.
  init(_ url: URL?) {
    self.url = url
    let data = url.flatMap { try? Data(contentsOf: $0) }
    hashes = data.flatMap { try? JSONDecoder().decode([String: String].self, from: $0) } ?? [:]
  }

  subscript(identity: FileIdentity) -> String? {
    get { hashes[Self.key(identity)] }
    set {
      if hashes.count >= Self.capacity { hashes = [:] }
      hashes[Self.key(identity)] = newValue
    }
  }

  /// One writer at a time.
  func write() throws {
    guard let url else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try DurableFile.write(encoder.encode(hashes), to: url)
  }

  private static func key(_ identity: FileIdentity) -> String {
    "\(identity.device)-\(identity.inode)-\(identity.size)-\(identity.modified)-\(identity.changed)"
  }
}
