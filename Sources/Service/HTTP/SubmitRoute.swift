import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner
import JobStore

/// `POST /v1/jobs`.
struct SubmitRoute {
  let repository: JobRepository
  let scheduler: Scheduler
  let planning: SubmissionPlanning
  let bodies: JSONBody.Reader
  let maxQueuedJobs: Int

  var routes: [Route] { [.post("v1/jobs", use: submit)] }

  /// 202 once the job is durable; for a repeated `Idempotency-Key`, the job that it made.
  @Sendable private func submit(_ request: Request, _ context: APIContext) async throws -> Response {
    let body = try await bodies.read(request)
    let key = try idempotencyKey(request, body: body)
    // Before the checks: the model or data of a job that was stored may be gone.
    if let key, let stored = try await repository.replayed(key) { return try Self.accepted(stored) }
    let (jobRequest, plan) = try await planning.plan(body)
    let submission = try await repository.submit(
      jobRequest, layers: plan.layers, warnings: plan.warnings, estimate: plan.estimate, key: key, limit: maxQueuedJobs,
      now: Date())
    let job: Job
    switch submission {
    case .created(let created):
      job = created
      scheduler.wake()
      context.logger.info("job submitted", metadata: ["job": "\(job.id)", "model": "\(jobRequest.model)"])
    case .replayed(let stored): job = stored
    }
    return try Self.accepted(job)
  }

  private static func accepted(_ job: Job) throws -> Response {
    var response = try Response.job(job, status: .accepted)
    response.headers[.location] = "/v1/jobs/\(job.id)"
    return response
  }

  private func idempotencyKey(_ request: Request, body: JSONBody) throws(Problem) -> IdempotencyKey? {
    guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name] else { return nil }
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw Problem(
        .invalidRequest, status: 400, title: "The Idempotency-Key can't be used",
        detail: "it must have 1 to 255 characters of printable ASCII")
    }
    return IdempotencyKey(key: key, fingerprint: SHA256.hash(data: body.bytes).map { String($0, radix: 16) }.joined(separator: "-"))
  }
}
