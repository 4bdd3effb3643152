import HTTPTypes
import Hummingbird
import JobModel
import JobStore

/// Whether the daemon lives, and whether it takes work.
struct OperationsRoutes {
  let drain: DrainSignal

  func add(to router: some RouterMethods<BasicRequestContext>) {
    for path: RouterPath in ["healthz", "readyz"] {
      router.get(path) { _, _ in try response(isReadiness: path == "readyz") }
      router.head(path) { _, _ in try response(isReadiness: path == "readyz") }
    }
  }

  private func response(isReadiness: Bool) throws -> Response {
    if isReadiness, drain.isDraining {
      throw Problem(.unavailable, status: 503, title: "The daemon is stopping", detail: "running jobs are put back into the queue")
    }
    return try .json(["status": "ok"])
  }
}
