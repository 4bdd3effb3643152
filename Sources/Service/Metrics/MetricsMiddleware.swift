import HTTPTypes
import Hummingbird

/// Counts requests and their time, by route, method and status: what clients may choose freely is in no label.
struct MetricsMiddleware: RouterMiddleware {
  private let routes: [Route]
  private let patterns: Set<String>
  private let metrics: ServiceMetrics

  private static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
  private static let other = "other"

  init(routes: [Route], metrics: ServiceMetrics) {
    (self.routes, self.metrics) = (routes, metrics)
    patterns = Set(routes.map(Self.pattern))
  }

  private static func pattern(_ route: Route) -> String { RouterPath(route.path).description }

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    var status = 500
    defer {
      let labels = ServiceMetrics.RequestLabels(route: route(of: request, context), method: Self.method(of: request), status: status)
      metrics.answered(labels, after: (.now - start) / .seconds(1))
    }
    let response = try await next(request, context)
    status = response.status.code
    return response
  }

  /// The router tells the route only if it has the method too.
  private func route(of request: Request, _ context: APIContext) -> String {
    if let path = context.endpointPath, patterns.contains(path) { return path }
    return routes.first { $0.matches(request.uri.path) }.map(Self.pattern) ?? Self.other
  }

  private static func method(of request: Request) -> String { methods.contains(request.method) ? request.method.rawValue : other }
}
