import Foundation
import JobModel
import JobRunner
import JobStore
import LinearAlgebra
import Quantization

/// Runs a job on the worker's thread: from the request to a published artifact.
public struct EngineWork: Sendable {
  private let limits: EngineLimits
  private let maxShardBytes: Int

  /// - Parameter maxShardBytes: Most bytes of tensors in a file of the artifact.
  public init(_ limits: EngineLimits, maxShardBytes: Int) {
    Cores.perJob = limits.cores
    self.limits = limits
    self.maxShardBytes = maxShardBytes
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
      try InputSizes.check(files, memory: limits.memory)
      let run = try EngineRun(job, files: files, folders: folders, cancellation: cancellation, journal: journal)
      return
        switch job.request.kind
      {
      case .model: try ModelRun(run, memoryLimit: limits.memory).finish(maxShardBytes: maxShardBytes)
      case .layers: try LayersRun(run).finish()
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
}
