import HTTPTypes
import Hummingbird

/// Counts the bytes of answers until clients have taken them.
struct AnswerMiddleware: RouterMiddleware {
  let budget: MemoryBudget

  /// What a download has in memory, which is read from disk as it goes.
  private static let streamedSize = 1 << 20

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    var response = try await next(request, context)
    let isStreamed = response.headers[.acceptRanges] != nil
    let size = response.body.contentLength.map { isStreamed ? min($0, Self.streamedSize) : $0 } ?? Self.streamedSize
    guard let lease = try budget.lease(size) else { return response }
    let content = response.body
    response.body = ResponseBody(contentLength: content.contentLength) { writer in
      // Returns when most of it has left.
      try await content.write(writer)
      withExtendedLifetime(lease) {}
    }
    return response
  }
}
