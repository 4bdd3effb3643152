/// Where a job is in its life. Legal moves are in `successors`; everything that changes a status goes through
/// `moved(to:)`.
public enum JobStatus: String, Codable, Sendable, CaseIterable {
  case queued, running, cancelling, cancelled, succeeded, failed

  public var successors: Set<JobStatus> {
    switch self {
    case .queued: [.running, .cancelled]
    case .running: [.queued, .cancelling, .succeeded, .failed]  // queued: taken up again after a restart
    case .cancelling: [.cancelled]
    case .succeeded: []
    case .failed, .cancelled: [.queued]  // retry
    }
  }

  /// No further work happens without a request.
  public var isEnded: Bool {
    switch self {
    case .queued, .running, .cancelling: false
    case .cancelled, .succeeded, .failed: true
    }
  }

  /// - Throws: `IllegalMove` where `successors` doesn't hold `next`.
  public func moved(to next: JobStatus) throws(IllegalMove) -> JobStatus {
    guard successors.contains(next) else { throw IllegalMove(from: self, to: next) }
    return next
  }

  public struct IllegalMove: Error, Hashable, CustomStringConvertible {
    public let from: JobStatus
    public let to: JobStatus

    public init(from: JobStatus, to: JobStatus) {
      self.from = from
      self.to = to
    }

    public var description: String { "a \(from.rawValue) job can't become \(to.rawValue)" }
  }
}
