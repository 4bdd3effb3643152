import Checkpoint
import Crypto
import Foundation
import JobModel
import JobRunner
import Quantization

/// What files are named by, computed once for each identity of a file, a few at a time, and waited for as long as a client waits.
/// Those of large files are kept over restarts.
package actor FileHashes {
  package struct Hashes: Sendable, Hashable {
    package let sha256: String
    /// As git names the bytes; nil for a large file.
    package let oid: String?
  }

  /// A file, and how it is opened.
  package struct Source: Sendable {
    let name: String
    let identity: FileIdentity
    let open: @Sendable () throws -> FileHandle?

    package init(name: String, identity: FileIdentity, open: @escaping @Sendable () throws -> FileHandle?) {
      (self.name, self.identity, self.open) = (name, identity, open)
    }
  }

  /// Below the seconds after which Hub clients give up (`HF_HUB_ETAG_TIMEOUT`: 10).
  package static let patience = Duration.seconds(8)
  private static let capacity = 100_000

  private let files: WorkerPool
  private let patience: Duration
  /// Small files don't wait for large ones.
  private let (small, large) = (Turns(width: 2, waiting: .max), Turns(width: 2, waiting: .max))
  private var known: [FileIdentity: Hashes] = [:]
  /// Of files that are too large to be hashed again at every start.
  private var kept: HashFile
  private var (isWritten, isWriting) = (true, false)
  private var computations: [FileIdentity: Task<Void, Never>] = [:]

  /// - Parameter storage: Where hashes of large files are kept; nil: nowhere.
  package init(files: WorkerPool, storage: URL? = nil, patience: Duration = FileHashes.patience) {
    self.files = files
    self.patience = patience
    kept = HashFile(storage)
  }

  /// - Returns: In the order of `sources`.
  /// - Throws: `Problem` (410) for a file that is another or gone by now, `Refusal` (503) where it takes too long; the work goes on.
  package func hashes(of sources: [Source]) async throws -> [Hashes] {
    let missing = sources.filter { hashes(of: $0.identity) == nil }
    if !missing.isEmpty { await wait(for: missing.map(computation)) }
    return try sources.map { source in
      if let hashes = hashes(of: source.identity) { return hashes }
      if computations[source.identity] != nil { throw Refusal.hashing(source.name, size: source.identity.size) }
      throw Problem.changedFile(source.name)
    }
  }

  func forget(_ identity: FileIdentity) async {
    known[identity] = nil
    if kept[identity] != nil { await keep(nil, identity) }
  }

  private func hashes(of identity: FileIdentity) -> Hashes? {
    known[identity] ?? kept[identity].map { Hashes(sha256: $0, oid: nil) }
  }

  private func computation(_ source: Source) -> Task<Void, Never> {
    if let running = computations[source.identity] { return running }
    let (files, turns) = (files, source.identity.size <= HubFile.textLimit ? small : large)
    let task = Task { await finish(source.identity, try? await Self.hash(source, turns, files)) }
    computations[source.identity] = task
    return task
  }

  private func finish(_ identity: FileIdentity, _ hashes: Hashes?) async {
    computations[identity] = nil
    guard let hashes else { return }
    if hashes.oid == nil {
      await keep(hashes.sha256, identity)
    } else {
      if known.count >= Self.capacity { known = [:] }
      known[identity] = hashes
    }
  }

  private func keep(_ sha256: String?, _ identity: FileIdentity) async {
    kept[identity] = sha256
    isWritten = false
    guard !isWriting else { return }
    isWriting = true
    defer { isWriting = false }
    while !isWritten {
      isWritten = true
      let kept = kept
      // Where it can't be written, the file is hashed again after the next start.
      try? await files.run { try kept.write() }
    }
  }

  private func wait(for tasks: [Task<Void, Never>]) async {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    let patience = patience
    let timer = Task {
      try? await Task.sleep(for: patience)
      end.finish()
    }
    Task {
      for task in tasks { await task.value }
      end.finish()
    }
    for await _ in ends {}
    timer.cancel()
  }

  private static func hash(_ source: Source, _ turns: Turns, _ files: WorkerPool) async throws -> Hashes? {
    try await turns.run { try await files.run { try hash(source) } }
  }

  /// - Returns: nil where the file is no longer the one that was meant.
  private static func hash(_ source: Source) throws -> Hashes? {
    guard let handle = try source.open() else { return nil }
    defer { try? handle.close() }
    let size = source.identity.size
    guard FileIdentity(descriptor: handle.fileDescriptor) == source.identity else { return nil }
    var (sha256, blob) = (SHA256(), size <= HubFile.textLimit ? GitObject.BlobHasher(size: size) : nil)
    while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty {
      sha256.update(data: data)
      blob?.update(data)
    }
    guard FileIdentity(descriptor: handle.fileDescriptor) == source.identity else { return nil }
    return Hashes(sha256: sha256.finalize().hexadecimal, oid: blob?.oid())
  }
}

extension Problem {
  static func changedFile(_ name: String) -> Problem {
    Problem(
      .artifactDamaged, status: 410, title: "The file has changed",
      detail: "\(name) was changed or removed while it was read, or can't be read; list the files again")
  }
}

extension Refusal {
  fileprivate static func hashing(_ name: String, size: Int) -> Refusal {
    Refusal(
      Problem(
        .unavailable, status: 503, title: "The file is being hashed",
        detail: "the SHA-256 of \(name) (\(size >> 20) MiB) is being computed, once for all; ask again in a moment"),
      retryAfter: .seconds(5))
  }
}
