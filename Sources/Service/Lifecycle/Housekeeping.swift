import Foundation
import JobModel
import JobStore
import Logging
import ServiceLifecycle

/// Deletes jobs that ended too long ago, and the first of those that ended while the data folder is too large; keeps the folder's
/// reserve.
///
/// Where space is short, cancelled and failed jobs go before those that succeeded; of each the one that ended first goes first. A job
/// that waits or runs stays.
struct Housekeeping: Service {
  let repository: JobRepository
  let store: ArtifactStore
  let uploads: UploadStore
  let folder: DataFolder
  let hub: HubRetention
  /// Since a job's end; nil: for ever.
  let age: Duration?
  /// Of the whole data folder; nil: any.
  let maxBytes: Int?
  let logger: Logger

  private static let interval = Duration.seconds(600)

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        folder.keepReserve()
        do {
          try await apply(now: Date())
          try await uploads.clearUp(now: Date())
        } catch {
          logger.error("old jobs or uploads can't be deleted", metadata: ["error": "\(error)"])
        }
        try await Task.sleep(for: Self.interval)
      }
    }
  }

  func apply(now: Date) async throws {
    for id in try await repository.incompleteDeletions() { await removeFiles(of: id) }
    var kept: [EndedJob] = []
    for job in try await repository.ended() {
      if let age, now.timeIntervalSince(job.finishedAt) > age / .seconds(1) {
        _ = try await delete(job, because: "retention.days")
      } else {
        kept.append(job)
      }
    }
    try await hub.apply(age: age, now: now)
    guard let maxBytes else { return }
    var bytes = folder.size
    bytes -= try await hub.makeRoom(bytes - maxBytes)
    kept.sort { ($0.status == .succeeded ? 1 : 0, $0.finishedAt) < ($1.status == .succeeded ? 1 : 0, $1.finishedAt) }
    for job in kept where bytes > maxBytes {
      let size = folder.size(of: job.id)
      if try await delete(job, because: "retention.max_data_bytes") { bytes -= size }
    }
    if bytes > maxBytes {
      logger.warning(
        "the data folder is larger than retention.max_data_bytes, and no ended job is left to delete",
        metadata: ["bytes": "\(bytes)", "limit": "\(maxBytes)"])
    }
  }

  /// - Returns: false where the job was retried meanwhile.
  private func delete(_ job: EndedJob, because key: String) async throws -> Bool {
    guard try await repository.delete(job.id) == .deleted else { return false }
    await removeFiles(of: job.id)
    logger.notice("job deleted", metadata: ["job": "\(job.id)", "because": "\(key)", "status": "\(job.status.rawValue)"])
    return true
  }

  /// What can't be removed now is tried again in the next round.
  private func removeFiles(of id: JobID) async {
    do {
      try await store.remove(id)
    } catch {
      logger.error("the files of a deleted job can't be removed", metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }
}
