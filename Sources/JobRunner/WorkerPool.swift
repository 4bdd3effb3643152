import Dispatch

/// The threads that jobs run on: the only way from async code to the engine, which is synchronous and long-running.
public struct WorkerPool: Sendable {
  private let queue: DispatchQueue

  /// - Parameter label: For debuggers.
  public init(label: String) {
    // Below the priority of HTTP, so that the daemon answers while it computes.
    queue = DispatchQueue(label: label, qos: .utility, attributes: .concurrent)
  }

  /// Runs `body` on a thread of its own and waits for it without blocking one of the cooperative pool.
  public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Swift.Result(catching: body)) }
    }
  }
}
