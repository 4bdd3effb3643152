import HTTPTypes
import Hummingbird
import JobModel
import JobStore
import NIOHTTP1

extension Problem {
  /// The one place where errors become what a client sees. What isn't foreseen says nothing of the inside.
  init(rendering error: any Error, requestID: String) {
    switch error {
    case let problem as Problem: self = problem
    case let error as JobStatus.IllegalMove:
      self.init(.conflict, status: 409, title: "The job's status doesn't allow this", detail: "\(error)")
    case let error as JobStoreError: self.init(error)
    case let error as UploadError: self.init(error)
    case let error as DiskFault: self = error.problem ?? .internalError(requestID)
    // The connection's guard has answered; nobody gets this.
    case is HTTPParserError: self = .malformed("its end didn't come")
    case let error as HTTPError where error.status == .notFound:
      self.init(.routeNotFound, status: 404, title: "There is no such route", detail: "docs/api.md of gptqd has all routes")
    case let error as HTTPError where error.status.code < 500:
      self.init(
        .invalidRequest, status: error.status.code, title: "The request can't be used", detail: error.body ?? error.status.reasonPhrase)
    default: self = .internalError(requestID)
    }
  }

  private static func internalError(_ requestID: String) -> Problem {
    Problem(.internal, status: 500, title: "Internal error", detail: "the daemon's log has more, under the request id \(requestID)")
  }

  private init(_ error: JobStoreError) {
    switch error {
    case .idempotencyMismatch:
      self.init(.idempotencyMismatch, status: 422, title: "The Idempotency-Key belongs to another request", detail: "\(error)")
    case .unknownJob(let id): self = .jobNotFound(id)
    case .queueFull:
      self.init(.tooManyJobs, status: 429, title: "Too many jobs wait", detail: "\(error); try again when one has begun")
    case .diskFull(let path), .unwritable(let path, _):
      self.init(
        .insufficientStorage, status: 507, title: "The disk is full or faulty",
        detail: "nothing was stored; free space on the disk of \(path), or delete jobs that are no longer needed")
    case .cannotOpen, .notADatabase, .newerSchema, .unusable:
      self.init(.unavailable, status: 503, title: "The job store can't be used", detail: "the daemon's log has more")
    }
  }

  static func jobNotFound(_ id: String) -> Problem {
    Problem(.jobNotFound, status: 404, title: "There is no such job", detail: "no job has the id \(id.prefix(64))")
  }

  static func bodyTooLarge(limit: Int) -> Problem {
    Problem(
      .bodyTooLarge, status: 413, title: "The request body is too large",
      detail: "a JSON body may have \(limit) bytes (http.max_body_bytes)")
  }

  static func methodNotAllowed(_ method: HTTPRequest.Method, allow: String) -> Problem {
    Problem(
      .methodNotAllowed, status: 405, title: "The path doesn't have this method",
      detail: "\(method.rawValue.prefix(40)) isn't possible here; \(allow) is")
  }

  static func invalidQuery(_ name: String, _ detail: String) -> Problem {
    Problem(
      .invalidRequest, status: 400, title: "A query parameter can't be used", detail: "\(name.prefix(80)) \(detail)",
      errors: [.init(pointer: "?\(name.prefix(80))", detail: detail)])
  }

  func response(instance: String, headers: HTTPFields = [:]) throws -> Response {
    var problem = self
    problem.instance = instance
    var response = try Response.json(problem, status: .init(code: status), headers: headers)
    response.headers[.contentType] = "application/problem+json"
    return response
  }
}
