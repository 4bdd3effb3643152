import Hummingbird
import JobModel
import JobStore

/// What became of a job's webhook.
struct WebhookRoutes {
  let repository: JobRepository
  let listing: Turns

  /// Deliveries that are shown: one for each end of a job, which a retry makes more.
  private static let limit = 100

  var routes: [Route] { [.get("v1/jobs/:id/webhook", use: webhook)] }

  @Sendable private func webhook(_ request: Request, _ context: APIContext) async throws -> Response {
    let id = try await context.requireJob(in: repository).id
    return try await listing.run {
      guard let record = try await WebhookOutbox(repository).webhook(of: id, limit: Self.limit) else {
        throw Problem(.webhookNotFound, status: 404, title: "The job has no webhook", detail: "it was submitted without one")
      }
      return try .json(record)
    }
  }
}
