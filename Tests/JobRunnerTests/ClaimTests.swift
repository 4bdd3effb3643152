import Foundation
import JobModel
import JobRunner
import JobStore
import Logging
import Synchronization
import Testing

/// What happens while the scheduler waits for the store to give it a job.
@Suite struct ClaimTests {
  private let store: TestStore

  init() throws { store = try TestStore() }

  private final class Reference: Sendable { let scheduler = Mutex<Scheduler?>(nil) }

  /// Runs a scheduler until it has been asked to drain.
  private func run(
    workers: Int, claim: @escaping @Sendable (Scheduler) async throws -> Job?, _ work: @escaping LocalExecutor.Work
  ) async throws {
    let reference = Reference()
    let scheduler = Scheduler(
      repository: store.repository, executor: LocalExecutor(pool: WorkerPool(label: "test"), work: work), workers: workers,
      gracePeriod: .seconds(20), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, withdraw: { _ in }
    ) {
      guard let scheduler = reference.scheduler.withLock({ $0 }) else { return nil }
      return try await claim(scheduler)
    }
    reference.scheduler.withLock { $0 = scheduler }
    try await scheduler.run()
  }

  @Test("A job that is claimed while the daemon begins to stop is asked to stop too")
  func drainsTheClaimedJob() async throws {
    let (repository, id) = (store.repository, try await store.submit().id)
    try await run(workers: 1) { scheduler in
      let job = try await repository.claimNext(now: TestStore.now)
      await scheduler.beginDraining()
      return job
    } _: { _, cancellation, _ in
      if cancellation.reason == .draining { throw CancellationError() }
      return TestStore.success
    }
    let job = try #require(try await repository.job(id))
    #expect(job.status == .queued && job.attempt == 0)
  }

  @Test("A job that is retried before the end of its last start was seen waits for that end")
  func waitsForTheLastStart() async throws {
    try await store.submit()
    let job = try #require(try await store.repository.claimNext(now: TestStore.now))
    let claims = Mutex(0)
    let running = Mutex(0)
    let overlaps = Mutex(false)
    let second = DispatchSemaphore(value: 0)
    try await run(workers: 2) { scheduler in
      let claim = claims.withLock { count in
        count += 1
        return count
      }
      guard claim <= 2 else {
        await scheduler.beginDraining()
        return nil
      }
      return job
    } _: { _, _, _ in
      let isAlone = running.withLock { count in
        count += 1
        return count == 1
      }
      if !isAlone { overlaps.withLock { $0 = true } }
      // Without the wait, the second start ends this one; with it, nothing does.
      if isAlone { _ = second.wait(timeout: .now() + .milliseconds(100)) } else { second.signal() }
      running.withLock { $0 -= 1 }
      return TestStore.success
    }
    #expect(claims.withLock { $0 } >= 2)
    #expect(!overlaps.withLock { $0 })
  }
}
