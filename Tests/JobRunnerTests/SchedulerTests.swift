import Foundation
import JobModel
import JobRunner
import JobStore
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import Testing

@Suite struct SchedulerTests {
  private let store: TestStore

  init() throws { store = try TestStore() }

  /// Runs a scheduler over the store until `body` returns, then stops it as SIGTERM does.
  private func scheduling(
    workers: Int = 1, withdraw: @escaping @Sendable (JobID) -> Void = { _ in }, _ work: @escaping LocalExecutor.Work,
    body: (Scheduler) async throws -> Void
  ) async throws {
    let scheduler = Scheduler(
      repository: store.repository, executor: LocalExecutor(pool: WorkerPool(label: "test"), work: work), workers: workers,
      gracePeriod: .seconds(20), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, withdraw: withdraw)
    try await testGracefulShutdown { trigger in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await scheduler.run() }
        try await body(scheduler)
        trigger.triggerGracefulShutdown()
        try await group.waitForAll()
      }
    }
  }

  private func ended(_ id: JobID) async throws -> Job {
    var job = try #require(try await store.repository.job(id))
    while !job.status.isEnded {
      job = try #require(try await store.repository.waitForChange(of: id, from: job.version, timeout: .seconds(30)))
    }
    return job
  }

  private func wait(for status: JobStatus, of id: JobID) async throws {
    var job = try #require(try await store.repository.job(id))
    while job.status != status {
      job = try #require(try await store.repository.waitForChange(of: id, from: job.version, timeout: .seconds(30)))
    }
  }

  /// Blocks the worker's thread until the flag is set.
  private static let untilCancelled: LocalExecutor.Work = { _, cancellation, _ in
    while !cancellation.isCancelled { Thread.sleep(forTimeInterval: 0.001) }
    throw CancellationError()
  }

  @Test("Jobs that wait at the start and jobs that come later run to their ends, one after the other")
  func runsJobs() async throws {
    let first = try await store.submit()
    let order = Mutex<[JobID]>([])
    try await scheduling { job, _, journal in
      order.withLock { $0.append(job.id) }
      try journal.stage(.quantizing)
      return TestStore.success
    } body: { scheduler in
      #expect(try await ended(first.id).status == .succeeded)
      let second = try await store.submit(second: 1)
      scheduler.wake()
      let job = try await ended(second.id)
      #expect(job.status == .succeeded && job.progress == nil && job.stage == nil)
      #expect(order.withLock { $0 } == [first.id, second.id])
    }
  }

  @Test("A failure that explains itself is kept, any other is told without trapping")
  func keepsFailures() async throws {
    struct Surprise: Error {}
    let failure = Job.Failure(code: "not_positive_definite", layer: "a", cause: .incurable, detail: "d", advice: "more text")
    let explained = try await store.submit()
    let unexpected = try await store.submit(second: 1)
    try await scheduling { job, _, _ in
      if job.id == explained.id { throw failure }
      throw Surprise()
    } body: { _ in
      let jobs = (try await ended(explained.id), try await ended(unexpected.id))
      #expect(jobs.0.error == failure)
      #expect(jobs.1.error?.code == "internal")
    }
  }

  @Test("Cancelling a running job stops it and goes on with the queue")
  func cancels() async throws {
    let cancelled = try await store.submit()
    let next = try await store.submit(second: 1)
    try await scheduling { job, cancellation, journal in
      job.id == next.id ? TestStore.success : try Self.untilCancelled(job, cancellation, journal)
    } body: { scheduler in
      try await wait(for: .running, of: cancelled.id)
      _ = try await store.repository.requestCancel(cancelled.id, now: Date())
      await scheduler.cancel(cancelled.id)
      #expect(try await ended(cancelled.id).status == .cancelled)
      #expect(try await ended(next.id).status == .succeeded)
    }
  }

  @Test("What was published by a job that turns out to be cancelled is withdrawn")
  func withdraws() async throws {
    let job = try await store.submit()
    let withdrawn = Mutex<[JobID]>([])
    let cancelRequested = DispatchSemaphore(value: 0)
    try await scheduling(withdraw: { id in withdrawn.withLock { $0.append(id) } }) { _, _, _ in
      cancelRequested.wait()
      return TestStore.success
    } body: { _ in
      try await wait(for: .running, of: job.id)
      _ = try await store.repository.requestCancel(job.id, now: Date())
      cancelRequested.signal()
      #expect(try await ended(job.id).status == .cancelled)
    }
    #expect(withdrawn.withLock { $0 } == [job.id])
  }

  @Test("A daemon that stops puts its jobs back without spending a start")
  func drains() async throws {
    let job = try await store.submit()
    try await scheduling(Self.untilCancelled) { _ in try await wait(for: .running, of: job.id) }
    let after = try #require(try await store.repository.job(job.id))
    #expect(after.status == .queued)
    #expect(after.attempt == 0)
  }

  @Test("What a killed daemon was running is taken up at the start")
  func takesUpOrphans() async throws {
    let job = try await store.submit()
    _ = try await store.repository.claimNext(now: Date())
    try await scheduling { _, _, _ in
      TestStore.success
    } body: { _ in
      let ended = try await ended(job.id)
      #expect(ended.status == .succeeded)
      #expect(ended.attempt == 2)
    }
  }

  @Test("As many jobs run at once as there are workers")
  func runsInParallel() async throws {
    let jobs = [try await store.submit(), try await store.submit(second: 1)]
    let (arrived, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    try await scheduling(workers: 2) { _, _, _ in
      // Each waits for the other, which only two at once can.
      arrived.signal()
      go.wait()
      return TestStore.success
    } body: { _ in
      for job in jobs { try await wait(for: .running, of: job.id) }
      try await WorkerPool(label: "waiter").run { for _ in 0..<2 { arrived.wait() } }
      for _ in 0..<2 { go.signal() }
      for job in jobs { #expect(try await ended(job.id).status == .succeeded) }
    }
  }

  @Test("A job that may be the one that brings the daemon down runs alone, so that no other is blamed")
  func runsSuspectsAlone() async throws {
    let suspect = try await store.submit(priority: 1)
    for _ in 0..<2 {
      #expect(try await store.repository.claimNext(now: Date())?.id == suspect.id)
      _ = try await store.repository.takeUpOrphans(now: Date())
    }
    let others = [try await store.submit(priority: 2), try await store.submit(second: 1), try await store.submit(second: 2)]
    let running = Mutex<Set<JobID>>([])
    let company = Mutex<Set<JobID>>([])
    try await scheduling(workers: 2) { job, _, _ in
      running.withLock { _ = $0.insert(job.id) }
      Thread.sleep(forTimeInterval: 0.05)
      let beside = running.withLock { $0 }
      if beside.contains(suspect.id) { company.withLock { $0.formUnion(beside.subtracting([suspect.id])) } }
      running.withLock { _ = $0.remove(job.id) }
      return TestStore.success
    } body: { _ in
      for job in [suspect] + others {
        let status = try await ended(job.id).status
        #expect(status == .succeeded)
      }
    }
    #expect(company.withLock { $0 }.isEmpty)
  }

  @Test("The first reason to stop stays")
  func keepsTheReason() {
    let flag = CancellationFlag()
    #expect(!flag.isCancelled)
    flag.set(.draining)
    flag.set(.cancelled)
    #expect(flag.reason == .draining)
  }
}
