import Foundation
import JobModel

/// Follows a job by asking for it, where the server has no stream to give.
struct JobPoller {
  let client: APIClient
  let id: JobID

  /// Returns when the job has ended.
  func run(_ state: inout WatchState, _ patience: inout Patience) async throws {
    var tag: String?
    while true {
      let answer = try await patience.run {
        try await client.send(
          "GET", "/v1/jobs/\(id)?wait=\(tag == nil ? 0 : 20)", headers: tag.map { ["If-None-Match": $0] } ?? [:], allowing: [304])
      }
      guard answer.status != 304 else { continue }
      tag = answer.headers["etag"]
      let job = try APICoding.decode(Job.self, from: answer.body)
      try await takeEvents(&state, &patience)
      state.take(job, answer.body)
      if job.status.isEnded { return }
    }
  }

  private func takeEvents(_ state: inout WatchState, _ patience: inout Patience) async throws {
    while true {
      let path = "/v1/jobs/\(id)/events?after=\(state.lastEvent)&limit=200"
      let page = try await patience.run { try await client.get(APIList<JobEvent>.self, path) }
      state.take(page.data)
      guard page.hasMore else { return }
    }
  }
}
