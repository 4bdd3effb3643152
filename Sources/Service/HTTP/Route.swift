import HTTPTypes
import Hummingbird

/// A method of a path, and what answers it. `HEAD` comes with `GET`.
struct Route: Sendable {
  typealias Handler = @Sendable (Request, APIContext) async throws -> Response

  let method: HTTPRequest.Method
  /// Segments that begin with a colon stand for any text, "**" at the end for one segment or more.
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

  /// Of an upload: the body may be as large as `uploads.max_file_bytes`, and isn't asked for until the route takes it.
  static func put(_ path: String, use handler: @escaping Handler) -> Route { Route(.put, path, query: [], handler: handler) }

  static func delete(_ path: String, use handler: @escaping Handler) -> Route { Route(.delete, path, query: [], handler: handler) }

  @Sendable func answer(_ request: Request, _ context: APIContext) async throws -> Response {
    var context = context
    if let query { context.query = try Query(request, allowing: query) }
    return try await handler(request, context)
  }

  func matches(_ requestPath: String) -> Bool {
    let segments = requestPath.split(separator: "/")
    var pattern = path.split(separator: "/")
    let isOpenEnded = pattern.last == "**"
    if isOpenEnded { pattern.removeLast() }
    return (isOpenEnded ? segments.count > pattern.count : segments.count == pattern.count)
      && zip(segments, pattern).allSatisfy { $1.hasPrefix(":") || $0 == $1 }
  }
}

extension [Route] {
  /// Whether a request needs no token: only to read, and not every path that has such a route can be written without one.
  func areOpen(to method: HTTPRequest.Method, at path: String) -> Bool {
    contains { $0.isOpen && ($0.method == method || $0.method == .get && method == .head) && $0.matches(path) }
  }

  /// The methods that a path has; none where no route has the path.
  func methods(at path: String) -> [HTTPRequest.Method] {
    filter { $0.matches(path) }.flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
  }
}
