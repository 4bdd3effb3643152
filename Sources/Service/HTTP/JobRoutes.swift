import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner
import JobStore
import StrictJSON

/// `/v1/jobs` and what is below it, but for artifacts.
struct JobRoutes {
  let repository: JobRepository
  let scheduler: Scheduler
  let catalog: ResourceCatalog
  let planner: any JobPlanner
  let files: WorkerPool
  let maxBodyBytes: Int

  func add(to router: some RouterMethods<BasicRequestContext>) {
    router.post("v1/jobs", use: submit)
    router.get("v1/jobs", use: list)
    router.get("v1/jobs/:id", use: show)
    router.get("v1/jobs/:id/layers", use: layers)
    router.get("v1/jobs/:id/layers/:name", use: layer)
    router.get("v1/jobs/:id/attempts", use: attempts)
    router.get("v1/jobs/:id/events", use: events)
    router.post("v1/jobs/:id/cancel", use: cancel)
  }

  /// 202 once the job is durable; for a repeated `Idempotency-Key`, the job that it made.
  @Sendable private func submit(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    try requireJSON(request)
    let body = try await JSONBody.read(request, limit: maxBodyBytes)
    let key = try idempotencyKey(request, body: body)
    let jobRequest = try JobRequest(parsing: try JSONBody.parse(body))
    let jobFiles = try catalog.files(of: jobRequest)
    let planner = planner
    let plan = try await files.run { try planner.plan(jobRequest, files: jobFiles) }
    let submission = try await repository.submit(
      jobRequest, layers: plan.layers, warnings: plan.warnings, key: key, now: Date())
    let job: Job
    switch submission {
    case .created(let created):
      job = created
      scheduler.wake()
      context.logger.info("job submitted", metadata: ["job": "\(job.id)", "model": "\(jobRequest.model)"])
    case .replayed(let stored): job = stored
    }
    var response = try Response.job(job, status: .accepted)
    response.headers[.location] = "/v1/jobs/\(job.id)"
    return response
  }

  private func requireJSON(_ request: Request) throws(Problem) {
    guard let type = request.headers[.contentType]?.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased() else {
      return
    }
    guard type == "application/json" || type.hasSuffix("+json") else {
      throw Problem(
        .unsupportedMediaType, status: 415, title: "The request body must be JSON",
        detail: "Content-Type is \(type.prefix(80)); send application/json (curl: -H 'Content-Type: application/json')")
    }
  }

  private func idempotencyKey(_ request: Request, body: [UInt8]) throws(Problem) -> IdempotencyKey? {
    guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name] else { return nil }
    guard (1...255).contains(key.utf8.count) else {
      throw Problem(
        .invalidRequest, status: 400, title: "The Idempotency-Key can't be used", detail: "it must have 1 to 255 characters")
    }
    let digest = SHA256.hash(data: body).map { String($0, radix: 16) }.joined(separator: "-")
    return IdempotencyKey(key: key, fingerprint: digest)
  }

  @Sendable private func list(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let query = try Query(request, allowing: ["status", "limit", "after"])
    return try .json(
      try await repository.jobs(
        status: query.status("status"), limit: query.integer("limit", in: 1...1000) ?? 50, after: query.jobID("after")))
  }

  /// `?wait=SECONDS` holds the answer until the job differs from the `If-None-Match` version, else from now on.
  @Sendable private func show(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let query = try Query(request, allowing: ["wait"])
    let known = request.headers[.ifNoneMatch]
    var job = try await context.requireJob(in: repository)
    if let seconds = try query.integer("wait", in: 0...60), !job.status.isEnded,
      known.map({ EntityTag.matches($0, EntityTag.job(job)) }) ?? true
    {
      job = try await repository.waitForChange(of: job.id, from: job.version, timeout: .seconds(seconds)) ?? job
    }
    return try .job(job, ifNoneMatch: known)
  }

  @Sendable private func layers(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    _ = try Query(request, allowing: [])
    let job = try await context.requireJob(in: repository)
    let layers = try await repository.layers(of: job.id)
    return try .json(APIList(data: layers, lastId: layers.last?.name))
  }

  @Sendable private func layer(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let job = try await context.requireJob(in: repository)
    let name = context.parameters.get("name")?.removingPercentEncoding ?? ""
    guard let layer = try await repository.layer(name, of: job.id) else {
      throw Problem(.layerNotFound, status: 404, title: "The job has no such layer", detail: "no layer is named \(name.prefix(200))")
    }
    return try .json(LayerHistory(layer: layer, history: try await repository.attempts(of: job.id, layer: name)))
  }

  @Sendable private func attempts(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let query = try Query(request, allowing: ["layer"])
    let job = try await context.requireJob(in: repository)
    return try .json(APIList(data: try await repository.attempts(of: job.id, layer: query["layer"]?.removingPercentEncoding)))
  }

  @Sendable private func events(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let query = try Query(request, allowing: ["after", "limit"])
    let limit = try query.integer("limit", in: 1...1000) ?? 100
    let after = try query.integer("after", in: 0...Int.max) ?? 0
    let job = try await context.requireJob(in: repository)
    let events = try await repository.events(of: job.id, after: after, limit: limit + 1)
    let page = Array(events.prefix(limit))
    return try .json(APIList(data: page, hasMore: events.count > limit, lastId: page.last.map { String($0.sequence) }))
  }

  @Sendable private func cancel(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
    let id = try await context.requireJob(in: repository).id
    guard let job = try await repository.requestCancel(id, now: Date()) else { throw Problem.jobNotFound(id.text) }
    await scheduler.cancel(id)
    return try .job(job)
  }
}

/// A layer with its attempts.
private struct LayerHistory: Encodable {
  let layer: LayerRecord
  let history: [AttemptRecord]

  private enum CodingKeys: CodingKey { case history }

  func encode(to encoder: any Encoder) throws {
    try layer.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(history, forKey: .history)
  }
}

extension BasicRequestContext {
  /// The job that the path names.
  ///
  /// - Throws: `Problem` (404).
  func requireJob(in repository: JobRepository) async throws -> Job {
    let text = parameters.get("id") ?? ""
    guard let id = JobID(text), let job = try await repository.job(id) else { throw Problem.jobNotFound(text) }
    return job
  }
}

/// A JSON request body.
enum JSONBody {
  /// - Throws: `Problem` (413), at once where the announced length is too large.
  static func read(_ request: Request, limit: Int) async throws -> [UInt8] {
    if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw Problem.bodyTooLarge(limit: limit) }
    var bytes: [UInt8] = []
    for try await buffer in request.body {
      guard bytes.count + buffer.readableBytes <= limit else { throw Problem.bodyTooLarge(limit: limit) }
      bytes.append(contentsOf: buffer.readableBytesView)
    }
    return bytes
  }

  /// - Throws: `Problem` (400) with line and column.
  static func parse(_ bytes: [UInt8]) throws(Problem) -> JSONValue {
    do {
      return try JSONValue(parsing: bytes)
    } catch {
      throw Problem(.invalidJSON, status: 400, title: "The request body is not JSON", detail: error.description)
    }
  }
}
