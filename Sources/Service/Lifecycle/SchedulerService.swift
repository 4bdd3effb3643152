import JobRunner
import ServiceLifecycle

/// Runs jobs once the daemon listens, so that a daemon that can't leaves them alone.
struct SchedulerService: Service {
  let scheduler: Scheduler
  /// Called before the first job runs.
  let prepare: @Sendable () async throws -> Void
  /// Ends when the daemon listens.
  let listening: AsyncStream<Void>

  func run() async throws {
    for await _ in listening.cancelOnGracefulShutdown() {}
    try Task.checkCancellation()
    try await prepare()
    try await scheduler.run()
  }
}
