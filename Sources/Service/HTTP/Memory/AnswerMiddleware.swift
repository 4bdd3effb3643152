import HTTPTypes
import Hummingbird

/// Counts the bytes of answers until clients have taken them.
struct AnswerMiddleware: RouterMiddleware {
  let budget: MemoryBudget

  /// What a download has in memory, which is read from disk as it goes: a part that is read, and one that is sent.
  private static let streamedSize = 2 * FileBody.chunk

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    var response = try await next(request, context)
    // Its messages are shared by all who get them.
    if response.headers[.contentType] == MediaRange.eventStream.rawValue { return response }
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
