import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore
import Logging

/// A job whose model and data are on the shared disk.
public struct PreparedJob: Sendable {
  public var job: Job
  public var files: AttemptSpecification.Files
  /// Keeps the files there as long as it is held.
  public var lease: (any Sendable)?

  public init(job: Job, files: AttemptSpecification.Files, lease: (any Sendable)?) {
    (self.job, self.files, self.lease) = (job, files, lease)
  }
}

/// Runs jobs on a cluster's nodes, each attempt as a job of Slurm.
///
/// Slurm is believed in nothing that the attempt's folder tells otherwise: a controller that crashes forgets jobs, gives their ids to
/// others, starts some twice, and takes ended ones for running.
public struct SlurmExecutor: JobExecutor {
  /// Gets a job's model and finds its data, on a thread that may block.
  public typealias Prepare = @Sendable (Job, CancellationFlag, JobJournal) throws -> PreparedJob

  let settings: SlurmSettings
  let repository: JobRepository
  let folders: ClusterFolders
  let maxShardBytes: Int
  let prepare: Prepare
  let commands: SlurmCommands
  let queue: SlurmQueue
  let pool = WorkerPool(label: "gptqd.slurm")
  let logger: Logger

  /// - Parameter maxShardBytes: Most bytes of tensors in a file of an artifact.
  public init(
    _ settings: SlurmSettings, repository: JobRepository, folders: ClusterFolders, maxShardBytes: Int, logger: Logger,
    prepare: @escaping Prepare
  ) {
    (self.settings, self.repository, self.folders, self.maxShardBytes) = (settings, repository, folders, maxShardBytes)
    (self.prepare, self.logger) = (prepare, logger)
    commands = SlurmCommands(programs: settings.programs, limit: settings.timing.command)
    queue = SlurmQueue(commands, repository: repository, logger: logger)
  }

  public var outlivesDaemon: Bool { true }

  public func obstacle() async -> String? {
    await queue.refresh(unlessYoungerThan: settings.timing.poll)
    return await queue.trouble.map { "Slurm doesn't answer: \($0)" }
  }

  public func execute(_ job: Job, cancellation: CancellationFlag, journal: JobJournal) async throws -> JobOutcome {
    let attempt = try await persisting(cancellation) { try await repository.prepareAttempt(of: job.id, attempt: job.attempt) }
    let follower = AttemptFollower(self, job: job, attempt: attempt, cancellation: cancellation, journal: journal)
    return try await follower.follow()
  }

  /// Asks Slurm once.
  ///
  /// - Returns: How many jobs of this user it has.
  /// - Throws: What to say to people.
  public static func probe(_ settings: SlurmSettings) async throws -> Int {
    try await SlurmCommands(programs: settings.programs, limit: settings.timing.command).queue().count
  }

  /// Looks for jobs in Slurm that nobody wants, for as long as the daemon runs.
  public func watch() async throws {
    while true {
      await queue.refresh(unlessYoungerThan: settings.timing.poll * 6)
      try await Task.sleep(for: settings.timing.poll * 6)
    }
  }

  /// Tries again as long as the disk of the database, or of the data folder, doesn't take it.
  func persisting<Value>(
    _ cancellation: CancellationFlag, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
  ) async throws -> Value {
    while true {
      do {
        return try await body()
      } catch let error where (error as? JobStoreError)?.isOfDisk ?? (error is CheckpointError) {
        if cancellation.reason == .draining { throw CancellationError() }
        logger.error("what the cluster does can't be stored yet", metadata: ["error": "\(error)"])
        try await Task.sleep(for: .seconds(1))
      }
    }
  }
}
