import JobModel
import JobStore
import Synchronization

/// Who uploads what just now: one to a target, a few in all, never more than the disk has room for.
final class UploadDesk: Sendable {
  private struct Name: Hashable {
    let kind: UploadTarget.Kind
    let name: String
  }

  private struct State: Sendable {
    /// Bytes that are still to come.
    var active: [UploadTarget: Int] = [:]
    var deleted: Set<Name> = []
    /// Of unfinished uploads, by id, with the number of bytes that they are of.
    var digests: [String: (digest: UploadDigest, size: Int)] = [:]
  }

  /// Left on the disk for the database and for jobs.
  static let spareBytes = 32 << 20
  /// So many states of hashes are kept, and so many bytes of a line that isn't whole.
  private static let (digestLimit, pendingLimit) = (256, 64 << 10)

  /// Lines of datasets take memory while they are checked.
  let checking = Turns(width: 2, waiting: 4096)
  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: Uploads at once.
  init(limit: Int) { self.limit = limit }

  /// The right to upload to a target, as long as somebody has it.
  final class Claim: Sendable {
    private let desk: UploadDesk
    private let target: UploadTarget

    fileprivate init(_ desk: UploadDesk, _ target: UploadTarget) { (self.desk, self.target) = (desk, target) }

    deinit { desk.state.withLock { _ = $0.active.removeValue(forKey: target) } }

    /// - Parameter bytes: That are still to come.
    /// - Returns: false where `free` bytes are too few for these and all that others still send.
    func reserve(_ bytes: Int, of free: Int?) -> Bool {
      desk.state.withLock { state in
        let others = state.active.reduce(0) { $0 + ($1.key == target ? 0 : $1.value) }
        let (needed, overflows) = bytes.addingReportingOverflow(others + UploadDesk.spareBytes)
        guard !overflows, free.map({ needed <= $0 }) ?? true else { return false }
        state.active[target] = bytes
        return true
      }
    }

    /// So many bytes have come.
    func took(_ bytes: Int) { desk.state.withLock { $0.active[target, default: 0] -= bytes } }
  }

  /// - Throws: `Refusal` (429, 409).
  func claim(_ target: UploadTarget) throws(Refusal) -> Claim {
    let refusal = state.withLock { state -> Refusal? in
      if state.active[target] != nil || state.deleted.contains(Name(kind: target.kind, name: target.name)) {
        return .uploading("\(target)")
      }
      if state.active.count >= limit { return .busy("\(limit) uploads go on, the most that uploads.max_concurrent allows") }
      state.active[target] = 0
      return nil
    }
    if let refusal { throw refusal }
    return Claim(self, target)
  }

  /// Runs `body` while nothing is uploaded to a model or dataset.
  ///
  /// - Throws: `Refusal` (409), what `body` throws.
  func withoutUploads<Value: Sendable>(to kind: UploadTarget.Kind, _ name: String, _ body: () async throws -> Value) async throws -> Value {
    let name = Name(kind: kind, name: name)
    let isFree = state.withLock { state in
      !state.active.keys.contains { Name(kind: $0.kind, name: $0.name) == name } && state.deleted.insert(name).inserted
    }
    guard isFree else { throw Refusal.uploading("the \(kind.rawValue) \(name.name)") }
    defer { state.withLock { _ = $0.deleted.remove(name) } }
    return try await body()
  }

  func isActive(_ target: UploadTarget) -> Bool { state.withLock { $0.active[target] != nil } }

  /// Remembers what is known of an unfinished upload's bytes.
  func keep(_ digest: UploadDigest?, size: Int, of id: String) {
    state.withLock { state in
      state.digests[id] = nil
      guard let digest, digest.pending <= Self.pendingLimit else { return }
      if state.digests.count >= Self.digestLimit, let other = state.digests.keys.first { state.digests[other] = nil }
      state.digests[id] = (digest, size)
    }
  }

  /// What is known of the first bytes; it isn't any more afterwards.
  func take(_ id: String, size: Int) -> UploadDigest? {
    state.withLock { $0.digests.removeValue(forKey: id).flatMap { $0.size == size ? $0.digest : nil } }
  }
}

extension Refusal {
  fileprivate static func uploading(_ what: String) -> Refusal {
    Refusal(
      Problem(
        .uploadInProgress, status: 409, title: "An upload goes on there",
        detail: "somebody uploads or deletes \(what) just now; try again when that has ended"), retryAfter: .seconds(5))
  }
}
