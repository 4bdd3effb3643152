import JobModel
import JobStore

/// Where jobs run.
public protocol JobExecutor: Sendable {
  /// Runs a job to its end.
  ///
  /// - Throws: `CancellationError` where the flag was set.
  func execute(_ job: Job, cancellation: CancellationFlag, journal: JobJournal) async throws -> JobOutcome
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

  public func execute(_ job: Job, cancellation: CancellationFlag, journal: JobJournal) async throws -> JobOutcome {
    let work = work
    return try await pool.run { try work(job, cancellation, journal) }
  }
}
