import JobModel
import JobStore
import Logging
import ServiceLifecycle

/// Hashes all artifacts when the daemon starts and on a schedule, one file after the other.
struct ArtifactVerifier: Service {
  let repository: JobRepository
  let store: ArtifactStore
  /// Between two rounds.
  let interval: Duration
  let logger: Logger

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        await round()
        try await Task.sleep(for: interval)
      }
    }
  }

  private func verify(_ job: Job) async {
    do {
      try await store.verify(job)
    } catch {
      if !Task.isCancelled { logger.error("an artifact can't be verified", metadata: ["job": "\(job.id)", "error": "\(error)"]) }
    }
  }

  private func round() async {
    var last: JobID?
    repeat {
      do {
        let page = try await repository.jobs(status: .succeeded, limit: 100, after: last)
        for job in page.data { await verify(job) }
        last = page.hasMore ? page.data.last?.id : nil
      } catch {
        if !Task.isCancelled { logger.error("artifacts can't be verified", metadata: ["error": "\(error)"]) }
        return
      }
    } while last != nil
  }
}
