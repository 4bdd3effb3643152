import Foundation
import GRDB
import JobModel

extension Database {
  func put(_ webhook: WebhookRequest?, of job: JobID) throws {
    guard let webhook, let secret = webhook.secret else { return }
    try execute(
      sql: "INSERT INTO webhooks (job, url, secret) VALUES (?, ?, ?)", arguments: [job.text, webhook.url.description, secret.key])
  }

  /// Puts a message about a job that has ended into the outbox, where somebody wants it.
  func announceEnd(of job: Job, at now: Date) throws {
    guard job.status.isEnded, let url = job.request.webhook?.url else { return }
    let event = "job.\(job.status.rawValue)"
    let body = try APICoding.text(encoding: WebhookMessage(type: event, timestamp: now, data: job))
    try execute(
      sql: """
        INSERT INTO deliveries (id, job, authority, event, state, tries, due, created_at, body)
        VALUES (?, ?, ?, ?, 'pending', 0, ?, ?, ?)
        """,
      arguments: ["msg_\(JobID(at: now))", job.id.text, url.authority, event, APICoding.text(now), APICoding.text(now), body])
  }
}

/// What a receiver gets.
///
/// Source: github.com/standard-webhooks/standard-webhooks, spec, "Payload structure".
private struct WebhookMessage: Encodable {
  let type: String
  let timestamp: Date
  let data: Job
}
