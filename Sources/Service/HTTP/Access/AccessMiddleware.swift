import HTTPTypes
import Hummingbird
import JobModel

/// Decides who may do what, before a route or a body is looked at.
struct AccessMiddleware: RouterMiddleware {
  let routes: [Route]
  let tokens: [AccessToken]
  let failures: FailureLimiter

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    if tokens.isEmpty {
      try LocalRules.check(request.head)
      return try await next(request, context)
    }
    guard !routes.areOpen(to: request.method, at: request.uri.path) else { return try await next(request, context) }
    let token = try token(of: request, context)
    guard token.scope == .write || request.method == .get || request.method == .head else { throw Problem.forbidden(token) }
    var context = context
    context.token = token
    context.logger[metadataKey: "token"] = "\(token.name)"
    return try await next(request, context)
  }

  private func token(of request: Request, _ context: APIContext) throws -> AccessToken {
    let presented = Self.presented(request.headers[values: .authorization])
    // A right token is taken however many wrong ones came from its address: guessing 256 bits is hopeless, and an
    // address can be shared.
    if let presented, let token = tokens.entry(for: presented) { return token }
    let source = FailureLimiter.source(context.channel.remoteAddress)
    let verdict = failures.failure(from: source)
    if let count = verdict.logged { context.logger.warning("token refused", metadata: ["address": "\(source)", "failures": "\(count)"]) }
    if let wait = verdict.retryAfter { throw Refusal(.tooManyFailures, retryAfter: wait) }
    throw Refusal(
      .unauthorized(isPresented: presented != nil),
      headers: [.wwwAuthenticate: #"Bearer realm="gptqd""# + (presented == nil ? "" : #", error="invalid_token""#)])
  }

  /// The token of a request that has just one `Authorization` field (RFC 6750, section 2.1).
  private static func presented(_ fields: [String]) -> String? {
    guard fields.count == 1, let field = fields.first?.trimmingCharacters(in: .whitespaces), let space = field.firstIndex(of: " "),
      field[..<space].lowercased() == "bearer"
    else { return nil }
    return field[space...].trimmingCharacters(in: .whitespaces)
  }
}

extension Problem {
  fileprivate static func unauthorized(isPresented: Bool) -> Problem {
    Problem(
      .unauthorized, status: 401, title: "The request needs a token",
      detail: isPresented
        ? "the token is not one of auth.tokens; \"gptqd token new NAME\" makes one"
        : "send \"Authorization: Bearer TOKEN\" (gptqctl: set GPTQD_TOKEN, Hub clients: HF_TOKEN)")
  }

  fileprivate static func forbidden(_ token: AccessToken) -> Problem {
    Problem(
      .forbidden, status: 403, title: "The token doesn't allow this",
      detail: "the scope of \(token.name) is \(token.scope.rawValue), which allows GET and HEAD; use a token with the scope write")
  }

  fileprivate static var tooManyFailures: Problem {
    Problem(
      .tooManyRequests, status: 429, title: "Too many requests without a right token",
      detail: "wait for the seconds of Retry-After, or send a right token, which is always taken")
  }
}
