import Cluster
import Foundation
import JobModel
import JobRunner
import JobStore
import Ranks

/// Works on one attempt at a job on a cluster's node, alone or as one of several ranks: `gptqd worker`.
public struct AttemptWorker: Sendable {
  private let folder: AttemptFolder
  private let specification: AttemptSpecification
  private let ranks: any RankGroup

  /// Starts MPI where the attempt has several nodes.
  ///
  /// - Parameter url: The attempt's folder.
  /// - Throws: `AttemptError`, `RankError`.
  public init(_ url: URL) throws {
    folder = AttemptFolder(url)
    specification = try AttemptSpecification(of: folder)
    ranks = specification.nodes > 1 ? try MessagePassing() : SoloRank()
  }

  /// Takes the attempt and works on it, on the calling thread. Rank 0 has the attempt and speaks for all.
  ///
  /// - Parameter onBegin: Given the way to stop the work, with a reason.
  /// - Returns: With what status the process is to end. Where ranks failed, all their processes end here.
  public func run(onBegin: (@escaping @Sendable (String) -> Void) -> Void) throws -> AttemptExit {
    do {
      var session: AttemptSession?
      let isMine = try ranks.agreed {
        session = try AttemptSession.begin(specification, in: folder, as: identity)
        return session != nil
      }
      if isMine { try session.map { try lead($0, onBegin: onBegin) } ?? assist(onBegin: onBegin) }
      try (ranks as? MessagePassing)?.finish()
      return isMine ? .told : .notMine
    } catch {
      guard let ranks = ranks as? MessagePassing else { throw error }
      FileHandle.standardError.write(Data("rank \(ranks.rank): \(error)\n".utf8))
      // Rank 0 knows of it by then, and tells.
      ranks.endAll(status: AttemptExit.unusable.rawValue, after: ranks.rank == 0 ? .zero : .seconds(10))
    }
  }

  private var identity: WorkerIdentity {
    WorkerIdentity(
      host: ProcessInfo.processInfo.hostName, process: ProcessInfo.processInfo.processIdentifier,
      schedulerJob: ProcessInfo.processInfo.environment["SLURM_JOB_ID"], ranks: ranks.count)
  }

  private var work: EngineWork {
    EngineWork(EngineLimits(of: specification), maxShardBytes: specification.maxShardBytes, ranks: ranks)
  }

  private var files: JobFiles {
    JobFiles(model: specification.files.model, calibration: specification.files.calibration, evaluation: specification.files.evaluation)
  }

  private var folders: JobFolders { JobFolders(work: folder.work, artifact: folder.artifact) }

  private func lead(_ session: AttemptSession, onBegin: (@escaping @Sendable (String) -> Void) -> Void) throws {
    onBegin { session.stop(because: $0) }
    try session.run { session in
      do {
        return try work.run(specification.job, files, folders, session.cancellation, session.journal)
      } catch let error as RankError {
        // Another rank's end says nothing of the job: the next attempt may get further.
        session.stop(because: "\(error)")
        throw CancellationError()
      }
    }
  }

  private func assist(onBegin: (@escaping @Sendable (String) -> Void) -> Void) throws {
    // Rank 0 is told to stop as well, and says why before all end.
    onBegin { _ in }
    try work.assist(specification.job, files, folders)
  }
}

extension EngineLimits {
  /// What the attempt was given, or else what Slurm or the machine gives this process.
  fileprivate init(of specification: AttemptSpecification) {
    let environment = ProcessInfo.processInfo.environment
    let cores = environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) } ?? ProcessInfo.processInfo.activeProcessorCount
    let memory = environment["SLURM_MEM_PER_NODE"].flatMap { Int($0) }.map { $0 << 20 }
    self.init(cores: specification.cores ?? cores, memory: specification.memory ?? memory)
  }
}
