import Foundation
import GRDB
import JobModel

extension JobRepository {
  /// Puts a failed or cancelled job back into the queue, with changes; one that waits or runs stays as it is. Layers, attempts
  /// and warnings are kept.
  ///
  /// - Parameter limit: Jobs that may wait.
  /// - Returns: nil where there is no such job.
  /// - Throws: `JobStatus.IllegalMove` for a job that has succeeded or is being cancelled, `JobStoreError.queueFull`,
  ///   `UploadError.unfinished`, `Problem` for a change that the job can't have.
  public func retry(_ id: JobID, _ changes: RetryRequest, limit: Int = .max, now: Date) async throws -> Job? {
    try await write { database in
      guard let job = try database.job(id) else { return nil }
      if job.status == .queued || job.status == .running { return job }
      let status = try job.status.moved(to: .queued)
      let request = try changes.applied(to: job.request)
      try database.requireRoom(inQueueOf: limit)
      try database.requireUploaded(request)
      return try database.move(job, to: status, at: now) { job in
        job.request = request
        job.finishedAt = nil
        job.stage = nil
        job.progress = nil
        job.degraded = false
        job.result = nil
        job.report = nil
        job.error = nil
        job.interruptions = []
      }
    }
  }
}
