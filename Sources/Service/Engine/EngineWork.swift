import Foundation
import JobModel
import JobRunner
import JobStore
import LinearAlgebra
import Quantization
import Ranks

/// Runs a job on the worker's thread: from the request to a published artifact.
public struct EngineWork: Sendable {
  private let limits: EngineLimits
  private let maxShardBytes: Int
  private let ranks: any RankGroup

  /// - Parameters:
  ///   - maxShardBytes: Most bytes of tensors in a file of the artifact.
  ///   - ranks: The processes that do a job together.
  public init(_ limits: EngineLimits, maxShardBytes: Int, ranks: any RankGroup = SoloRank()) {
    Cores.perJob = limits.cores
    self.limits = limits
    self.maxShardBytes = maxShardBytes
    self.ranks = ranks
  }

  /// Finished blocks stay in the work folder, so that another start goes on from them: until the job's success is stored, when they
  /// are the caller's to remove.
  ///
  /// - Throws: `Job.Failure` with advice for what can be expected to go wrong, `CancellationError` where the flag was set.
  @Sendable public func run(
    _ job: Job, _ files: JobFiles, _ folders: JobFolders, _ cancellation: CancellationFlag, _ journal: any JobRecorder
  ) throws -> JobOutcome {
    defer { folders.removeUnfinished() }
    do {
      return try ranks.together {
        try check(job, files)
        let run = try EngineRun(job, files: files, folders: folders, cancellation: cancellation, journal: journal)
        // The folders are as they were left, and the others may write to them.
        try ranks.meet()
        return
          switch job.request.kind
        {
        case .model: try ModelRun(run, memoryLimit: limits.memory, ranks: ranks).finish(maxShardBytes: maxShardBytes)
        case .layers: try LayersRun(run).finish()
        }
      }
    } catch is QuantizationCancelled {
      throw CancellationError()
    } catch {
      guard let failure = Job.Failure(explaining: error) else { throw error }
      if failure.code == "insufficient_storage" { BlockFiles.removeHiddenStates(in: folders.blocks) }
      // Of a full disk the job's own end will tell.
      if let layer = failure.layer { try? journal.failed(layer) }
      throw failure
    }
  }

  /// Does the part of a rank that isn't the first: no journal, nothing published.
  ///
  /// - Parameters:
  ///   - files, folders: Those of rank 0, on disks that all see.
  /// - Throws: What rank 0 throws, or `RankError.abandoned` that says why it stopped.
  public func assist(_ job: Job, _ files: JobFiles, _ folders: JobFolders) throws {
    try ranks.together {
      try check(job, files)
      let source = try SourceFingerprint.blocks(job.request, files)
      try ranks.meet()
      try ModelWork(job.request, files, folders, memoryLimit: limits.memory, ranks: ranks).assist(source: source)
    }
  }

  private func check(_ job: Job, _ files: JobFiles) throws {
    guard ranks.count == 1 || job.request.kind == .model else {
      throw QuantizationError.needsOneRank(what: "a job on a file of layers", ranks: ranks.count)
    }
    try InputSizes.check(files, memory: limits.memory)
  }
}
