import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore
import ServiceLifecycle

/// Jobs as they are: list, one; cancel, retry, delete.
struct JobRoutes {
  let repository: JobRepository
  let scheduler: Scheduler
  let store: ArtifactStore
  let folder: DataFolder
  let bodies: JSONBody.Reader
  let pool: WorkerPool
  let planning: Turns
  /// For answers that are large.
  let listing: Turns
  let maxQueuedJobs: Int
  let configuration: ServiceConfiguration

  var routes: [Route] {
    [
      .get("v1/jobs", query: ["status", "limit", "after"], use: list),
      .get("v1/jobs/:id", query: ["wait"], use: show),
      .post("v1/jobs/:id/cancel", use: cancel),
      .post("v1/jobs/:id/retry", use: retry),
      .delete("v1/jobs/:id", use: delete),
    ]
  }

  @Sendable private func list(_ request: Request, _ context: APIContext) async throws -> Response {
    let query = context.query
    let (status, limit, after) = try (query.status("status"), query.integer("limit", in: 1...1000) ?? 50, query.jobID("after"))
    return try await listing.run { try .json(try await repository.jobs(status: status, limit: limit, after: after)) }
  }

  /// `?wait=SECONDS` holds the answer until the job differs from the `If-None-Match` version, else from now on; not for
  /// a job that has ended, and not when the daemon stops.
  @Sendable private func show(_ request: Request, _ context: APIContext) async throws -> Response {
    let known = request.headers[.ifNoneMatch]
    let seconds = try context.query.integer("wait", in: 0...60) ?? 0
    let job = try await context.requireJob(in: repository)
    let isKnown = known.map { EntityTag.matches($0, EntityTag.job(job)) } ?? true
    guard seconds > 0, isKnown, !job.status.isEnded else { return try .job(job, ifNoneMatch: known) }
    let changed = try await cancelWhenGracefulShutdown {
      do {
        return try await repository.waitForChange(of: job.id, from: job.version, timeout: .seconds(seconds))
      } catch is CancellationError {
        return nil
      }
    }
    return try .job(changed ?? job, ifNoneMatch: known)
  }

  @Sendable private func cancel(_ request: Request, _ context: APIContext) async throws -> Response {
    let id = try await context.requireJob(in: repository).id
    guard let job = try await repository.requestCancel(id, now: Date()) else { throw Problem.jobNotFound(id.text) }
    await scheduler.cancel(id)
    return try .job(job)
  }

  /// The body may be empty, or change what `RetryRequest` has.
  @Sendable private func retry(_ request: Request, _ context: APIContext) async throws -> Response {
    let body = try await bodies.readIfAny(request)
    let changes = try await changes(body)
    let id = try await context.requireJob(in: repository).id
    guard let job = try await repository.retry(id, changes, limit: maxQueuedJobs, now: Date()) else { throw Problem.jobNotFound(id.text) }
    scheduler.wake()
    context.logger.info("retry asked for", metadata: ["job": "\(id)", "status": "\(job.status.rawValue)"])
    return try .job(job)
  }

  /// Only for a job that has ended. Its artifact goes too.
  @Sendable private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
    let id = try await context.requireJob(in: repository).id
    let deletion: JobRepository.Deletion
    do {
      deletion = try await repository.delete(id)
    } catch let error as JobStoreError where error.isOfDisk {
      // Deleting takes a little space before it gives more back.
      folder.releaseReserve()
      deletion = try await repository.delete(id)
    }
    switch deletion {
    case .deleted: try await store.remove(id)
    case .unknown: throw Problem.jobNotFound(id.text)
    case .notEnded(let status):
      throw Problem(
        .conflict, status: 409, title: "The job has not ended", detail: "it is \(status.rawValue); cancel it first")
    }
    context.logger.notice("job deleted", metadata: ["job": "\(id)"])
    return Response(status: .noContent)
  }

  private func changes(_ body: JSONBody?) async throws -> RetryRequest {
    guard let body else { return RetryRequest() }
    let pool = pool
    let changes = try await planning.run { try await pool.run { try RetryRequest(parsing: body.value()) } }
    try configuration.checkResources(changes.slurm, nodes: changes.nodes)
    return changes
  }
}
