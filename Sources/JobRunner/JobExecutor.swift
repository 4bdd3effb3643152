import JobModel
import JobStore

/// Where jobs run.
public protocol JobExecutor: Sendable {
  /// Jobs go on while the daemon is away: it leaves them alone when it stops, and takes them up where they are when it starts.
  var outlivesDaemon: Bool { get }

  /// Why no job can be started now; nil: some can.
  func obstacle() async -> String?

  /// Runs a job to its end, or takes up one that runs.
  ///
  /// - Throws: `CancellationError` where the flag was set, `AttemptLost`, `Job.Failure`.
  func execute(_ job: Job, cancellation: CancellationFlag, journal: JobJournal) async throws -> JobOutcome
}

/// An attempt at a job ended, or never began, through no fault that is known of the job's.
public struct AttemptLost: Error, Hashable {
  public let reason: String
  /// Work was done.
  public let hadStarted: Bool

  public init(reason: String, hadStarted: Bool) { (self.reason, self.hadStarted) = (reason, hadStarted) }
}

/// Runs jobs in this process.
public struct LocalExecutor: JobExecutor {
  public typealias Work = @Sendable (Job, CancellationFlag, JobJournal) throws -> JobOutcome

  private let pool: WorkerPool
  private let work: Work

  public init(pool: WorkerPool, work: @escaping Work) {
    self.pool = pool
    self.work = work
  }

  public var outlivesDaemon: Bool { false }

  public func obstacle() async -> String? { nil }

  public func execute(_ job: Job, cancellation: CancellationFlag, journal: JobJournal) async throws -> JobOutcome {
    let work = work
    return try await pool.run { try work(job, cancellation, journal) }
  }
}
