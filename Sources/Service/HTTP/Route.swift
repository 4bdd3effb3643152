import HTTPTypes
import Hummingbird

/// A method of a path, and what answers it. `HEAD` comes with `GET`.
struct Route: Sendable {
  typealias Handler = @Sendable (Request, APIContext) async throws -> Response

  let method: HTTPRequest.Method
  /// Segments that begin with a colon stand for any text.
  let path: String
  /// Names of the query parameters; nil: any, all ignored.
  let query: Set<String>?
  /// Answered without a token.
  let isOpen: Bool
  private let handler: Handler

  private init(_ method: HTTPRequest.Method, _ path: String, query: Set<String>?, isOpen: Bool = false, handler: @escaping Handler) {
    self.method = method
    self.path = path
    self.query = query
    self.isOpen = isOpen
    self.handler = handler
  }

  static func get(_ path: String, query: Set<String>? = [], isOpen: Bool = false, use handler: @escaping Handler) -> Route {
    Route(.get, path, query: query, isOpen: isOpen, handler: handler)
  }

  static func post(_ path: String, use handler: @escaping Handler) -> Route { Route(.post, path, query: [], handler: handler) }

  static func delete(_ path: String, use handler: @escaping Handler) -> Route { Route(.delete, path, query: [], handler: handler) }

  @Sendable func answer(_ request: Request, _ context: APIContext) async throws -> Response {
    var context = context
    if let query { context.query = try Query(request, allowing: query) }
    return try await handler(request, context)
  }

  func matches(_ requestPath: String) -> Bool {
    let segments = requestPath.split(separator: "/")
    let pattern = path.split(separator: "/")
    return segments.count == pattern.count && zip(segments, pattern).allSatisfy { $1.hasPrefix(":") || $0 == $1 }
  }
}

extension [Route] {
  /// Whether a path is that of routes for which no token is needed.
  func areOpen(at path: String) -> Bool { contains { $0.isOpen && $0.matches(path) } }

  /// The methods that a path has; none where no route has the path.
  func methods(at path: String) -> [HTTPRequest.Method] {
    filter { $0.matches(path) }.flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
  }
}
