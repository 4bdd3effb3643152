import HTTPTypes
import Hummingbird
import JobModel

/// Answers 405 with `Allow` for the methods that a known path doesn't have.
enum MethodNotAllowed {
  private static let allowed: [(path: RouterPath, methods: [HTTPRequest.Method])] = [
    ("v1/jobs", [.get, .post]),
    ("v1/jobs/:id", [.get]),
    ("v1/jobs/:id/layers", [.get]),
    ("v1/jobs/:id/layers/:name", [.get]),
    ("v1/jobs/:id/attempts", [.get]),
    ("v1/jobs/:id/events", [.get]),
    ("v1/jobs/:id/cancel", [.post]),
    ("v1/jobs/:id/artifacts", [.get]),
    ("v1/jobs/:id/artifacts/:path", [.get, .head]),
    ("healthz", [.get, .head]),
    ("readyz", [.get, .head]),
  ]

  static func add(to router: some RouterMethods<BasicRequestContext>) {
    for (path, methods) in allowed {
      for method: HTTPRequest.Method in [.get, .head, .post, .put, .patch, .delete, .options] where !methods.contains(method) {
        router.on(path, method: method) { request, _ in
          let list = methods.map(\.rawValue).joined(separator: ", ")
          let problem = Problem(
            .methodNotAllowed, status: 405, title: "The path doesn't have this method",
            detail: "\(request.method.rawValue) isn't possible here; \(list) is")
          var response = try problem.response(instance: request.uri.path)
          response.headers[.allow] = list
          return response
        }
      }
    }
  }
}
