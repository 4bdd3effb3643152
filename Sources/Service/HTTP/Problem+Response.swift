import HTTPTypes
import Hummingbird
import JobModel
import JobStore

extension Problem {
  /// The one place where errors become what a client sees. What isn't foreseen says nothing of the inside.
  init(rendering error: any Error) {
    switch error {
    case let problem as Problem: self = problem
    case let error as JobStatus.IllegalMove:
      self.init(.conflict, status: 409, title: "The job's status doesn't allow this", detail: "\(error)")
    case let error as JobStoreError: self.init(error)
    case let error as HTTPError where error.status == .notFound:
      self.init(.routeNotFound, status: 404, title: "There is no such route", detail: "see the API table of gptqd's README")
    case let error as HTTPError where error.status == .contentTooLarge:
      self = .bodyTooLarge(limit: nil)
    case let error as HTTPError where error.status.code < 500:
      self.init(
        .invalidRequest, status: error.status.code, title: "The request can't be used", detail: error.body ?? error.status.reasonPhrase)
    default:
      self.init(.internal, status: 500, title: "Internal error", detail: "the daemon's log has more, under this request's id")
    }
  }

  private init(_ error: JobStoreError) {
    switch error {
    case .idempotencyMismatch:
      self.init(.idempotencyMismatch, status: 422, title: "The Idempotency-Key belongs to another request", detail: "\(error)")
    case .unknownJob(let id): self = .jobNotFound(id)
    case .cannotOpen, .notADatabase, .newerSchema:
      self.init(.unavailable, status: 503, title: "The job store can't be used", detail: "the daemon's log has more")
    }
  }

  static func jobNotFound(_ id: String) -> Problem {
    Problem(.jobNotFound, status: 404, title: "There is no such job", detail: "no job has the id \(id.prefix(64))")
  }

  static func bodyTooLarge(limit: Int?) -> Problem {
    Problem(
      .bodyTooLarge, status: 413, title: "The request body is too large",
      detail: "a JSON body may have \(limit.map(String.init) ?? "no more") bytes (http.max_body_bytes)")
  }

  static func invalidQuery(_ name: String, _ detail: String) -> Problem {
    Problem(
      .invalidRequest, status: 400, title: "A query parameter can't be used", detail: "\(name) \(detail)",
      errors: [.init(pointer: "?\(name)", detail: detail)])
  }

  func response(instance: String) throws -> Response {
    var problem = self
    problem.instance = instance
    var response = try Response.json(problem, status: .init(code: status))
    response.headers[.contentType] = "application/problem+json"
    if code == .bodyTooLarge { response.headers[.connection] = "close" }
    return response
  }
}

/// Renders whatever a route throws as a problem document.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
  func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
    do {
      return try await next(request, context)
    } catch {
      let problem = Problem(rendering: error)
      if problem.status >= 500 {
        context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
      }
      return try problem.response(instance: request.uri.path)
    }
  }
}
