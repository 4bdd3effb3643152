import Cluster
import Foundation
import JobModel
import JobRunner
import JobStore

/// Works on one attempt at a job on a cluster's node: `gptqd worker`.
public struct AttemptWorker: Sendable {
  private let folder: AttemptFolder
  private let specification: AttemptSpecification

  /// - Parameter url: The attempt's folder.
  /// - Throws: `AttemptError`.
  public init(_ url: URL) throws(AttemptError) {
    folder = AttemptFolder(url)
    specification = try AttemptSpecification(of: folder)
  }

  /// Takes the attempt and works on it, on the calling thread.
  ///
  /// - Parameter onBegin: Given the way to stop the work, with a reason.
  /// - Returns: With what status the process is to end.
  public func run(onBegin: (@escaping @Sendable (String) -> Void) -> Void) throws -> AttemptExit {
    let worker = WorkerIdentity(
      host: ProcessInfo.processInfo.hostName, process: ProcessInfo.processInfo.processIdentifier,
      schedulerJob: ProcessInfo.processInfo.environment["SLURM_JOB_ID"], ranks: 1)
    guard let session = try AttemptSession.begin(specification, in: folder, as: worker) else { return .notMine }
    onBegin { session.stop(because: $0) }
    let limits = EngineLimits(of: specification)
    let work = EngineWork(limits, maxShardBytes: specification.maxShardBytes)
    let files = JobFiles(
      model: specification.files.model, calibration: specification.files.calibration, evaluation: specification.files.evaluation)
    let folders = JobFolders(work: folder.work, artifact: folder.artifact)
    try session.run { session in try work.run(specification.job, files, folders, session.cancellation, session.journal) }
    return .told
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
