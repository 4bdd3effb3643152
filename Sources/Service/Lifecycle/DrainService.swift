import ServiceLifecycle
import Synchronization

/// Tells routes that the daemon stops, and ends the wait for what doesn't.
struct DrainService: Service {
  let signal = DrainSignal()
  /// How long stopping may take.
  let limit: Duration
  let onLimit: @Sendable () -> Void

  func run() async throws {
    try await gracefulShutdown()
    signal.set()
    let (limit, onLimit) = (limit, onLimit)
    // Outlives this service, whose end lets the others stop.
    Task {
      try? await Task.sleep(for: limit)
      onLimit()
    }
  }
}

/// Set once the daemon has been asked to stop.
final class DrainSignal: Sendable {
  private let value = Atomic<Bool>(false)

  var isDraining: Bool { value.load(ordering: .sequentiallyConsistent) }

  func set() { value.store(true, ordering: .sequentiallyConsistent) }
}
