import Hummingbird
import JobModel

/// Whether the daemon lives, and whether it takes work.
struct OperationsRoutes {
  let drain: DrainSignal

  var routes: [Route] {
    [
      .get("healthz", query: nil, isOpen: true) { _, _ in try .json(["status": "ok"]) },
      .get("readyz", query: nil, isOpen: true) { _, _ in
        guard !drain.isDraining else {
          throw Problem(.unavailable, status: 503, title: "The daemon is stopping", detail: "running jobs are put back into the queue")
        }
        return try .json(["status": "ok"])
      },
    ]
  }
}
