import HTTPTypes
import Hummingbird
import JobModel
import NIOCore

/// Renders whatever a route throws as a problem document.
struct ProblemMiddleware: RouterMiddleware {
  let routes: [Route]
  let maxBodyBytes: Int

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch {
      var response = try response(for: error, to: request, context)
      if request.mayHaveUnreadBody(beyond: maxBodyBytes) { response.close(context.channel) }
      return request.method == .head ? response.createHeadResponse() : response
    }
  }

  private func response(for error: any Error, to request: Request, _ context: APIContext) throws -> Response {
    let path = request.uri.path
    let (problem, known) = rendered(error, to: request, context)
    var headers = known
    for field in HubErrors.fields(for: problem, at: path, hasAuthorization: request.headers.contains(.authorization))
    where !headers.contains(field.name) { headers.append(field) }
    return try problem.response(instance: path, headers: headers)
  }

  private func rendered(_ error: any Error, to request: Request, _ context: APIContext) -> (Problem, HTTPFields) {
    let path = request.uri.path
    if let error = error as? HTTPError, error.status == .notFound, case let methods = routes.methods(at: path), !methods.isEmpty {
      let allow = methods.map(\.rawValue).joined(separator: ", ")
      return (.methodNotAllowed(request.method, allow: allow), [.allow: allow])
    }
    if let refusal = error as? Refusal { return (refusal.problem, refusal.headers) }
    let problem = Problem(rendering: error, requestID: context.requestID)
    if problem.code == .internal { context.logger.error("request failed", metadata: ["path": "\(path)", "error": "\(error)"]) }
    // Jobs take minutes at least.
    return (problem, [.tooManyJobs, .tooManyUploads].contains(problem.code) ? [.retryAfter: "30"] : [:])
  }
}

extension Request {
  /// Whether an error may have come before the end of a large body, or of one of unknown length.
  fileprivate func mayHaveUnreadBody(beyond limit: Int) -> Bool {
    announcedLength.map { $0 > limit } ?? headers.contains(.transferEncoding)
  }
}

extension Response {
  /// Ends the connection after this answer. What the client still sends is thrown away for a moment first: closing at
  /// once would reset the connection, and the answer could be lost (RFC 9112, section 9.6).
  fileprivate mutating func close(_ channel: any Channel) {
    headers[.connection] = "close"
    let content = body
    body = ResponseBody(contentLength: content.contentLength) { writer in
      try await content.write(writer)
      channel.close(mode: .output, promise: nil)
      channel.eventLoop.scheduleTask(in: .seconds(3)) { channel.close(promise: nil) }
    }
  }
}
