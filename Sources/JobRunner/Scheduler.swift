import Foundation
import JobModel
import JobStore
import Logging
import ServiceLifecycle

/// Takes jobs from the queue as long as workers are free, and sees each to its end.
public actor Scheduler: Service {
  /// Takes the next job from the queue.
  package typealias Claim = @Sendable () async throws -> Job?

  private let repository: JobRepository
  private let claimNext: Claim
  private let executor: any JobExecutor
  private let workers: Int
  private let gracePeriod: Duration
  private let withdraw: @Sendable (JobID) -> Void
  private let logger: Logger
  private var running: [JobID: CancellationFlag] = [:]
  private var isDraining = false
  private let (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameters:
  ///   - workers: Jobs that run at once.
  ///   - gracePeriod: How long running jobs may take to stop when the daemon does.
  ///   - withdraw: Removes what a job published before it turned out to be cancelled.
  public init(
    repository: JobRepository, executor: any JobExecutor, workers: Int, gracePeriod: Duration, logger: Logger,
    withdraw: @escaping @Sendable (JobID) -> Void
  ) {
    self.init(
      repository: repository, executor: executor, workers: workers, gracePeriod: gracePeriod, logger: logger, withdraw: withdraw,
      claimNext: { try await repository.claimNext(now: Date()) })
  }

  /// - Parameter claimNext: Instead of the repository's, for tests of what comes between.
  package init(
    repository: JobRepository, executor: any JobExecutor, workers: Int, gracePeriod: Duration, logger: Logger,
    withdraw: @escaping @Sendable (JobID) -> Void, claimNext: @escaping Claim
  ) {
    self.repository = repository
    self.claimNext = claimNext
    self.executor = executor
    self.workers = max(1, workers)
    self.gracePeriod = gracePeriod
    self.logger = logger
    self.withdraw = withdraw
  }

  /// Looks for work; to be called after a submission.
  public nonisolated func wake() { waker.yield() }

  /// Asks a running job to stop; nothing happens if it doesn't run.
  public func cancel(_ id: JobID) { running[id]?.set(.cancelled) }

  /// Runs jobs until the daemon stops.
  public func run() async throws {
    for id in try await repository.takeUpOrphans(now: Date()) {
      logger.notice("job taken up again after a restart", metadata: ["job": "\(id)"])
    }
    wake()
    await withGracefulShutdownHandler {
      for await _ in wakes {
        while !isDraining, running.count < workers, let job = await claim() {
          // A retry can come before the scheduler has seen the end of the start before.
          while running[job.id] != nil { await nextEnd() }
          let flag = CancellationFlag()
          running[job.id] = flag
          // The daemon was asked to stop during the claim.
          if isDraining { flag.set(.draining) }
          // Not a child task: that one would be waited for, also after the grace period.
          Task { await self.see(job, through: flag) }
        }
      }
      await drain()
    } onGracefulShutdown: {
      Task { await self.beginDraining() }
    }
  }

  private func claim() async -> Job? {
    do {
      return try await claimNext()
    } catch {
      logger.error("the queue can't be read", metadata: ["error": "\(error)"])
      return nil
    }
  }

  /// Takes no more jobs, and asks those that run to stop.
  package func beginDraining() {
    isDraining = true
    for flag in running.values { flag.set(.draining) }
    waker.finish()
  }

  /// Waits for running jobs to stop, at most for the grace period.
  private func drain() async {
    guard !running.isEmpty else { return }
    logger.notice("waiting for running jobs to stop", metadata: ["jobs": "\(running.count)"])
    let deadline = ContinuousClock.now + gracePeriod
    while !running.isEmpty, ContinuousClock.now < deadline {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.nextEnd() }
        group.addTask { try? await Task.sleep(until: deadline) }
        await group.next()
        group.cancelAll()
      }
    }
    if !running.isEmpty { logger.warning("jobs still run after the grace period; they are taken up at the next start") }
  }

  private var endWaiters: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0

  /// Returns when a job has ended.
  private func nextEnd() async {
    guard !running.isEmpty else { return }
    lastWaiter += 1
    let waiter = lastWaiter
    await withTaskCancellationHandler {
      await withCheckedContinuation { endWaiters[waiter] = $0 }
    } onCancel: {
      Task { await self.release(waiter) }
    }
  }

  private func release(_ waiter: Int) { endWaiters.removeValue(forKey: waiter)?.resume() }

  private func see(_ job: Job, through flag: CancellationFlag) async {
    var logger = logger
    logger[metadataKey: "job"] = "\(job.id)"
    logger.info("job started", metadata: ["model": "\(job.request.model)", "attempt": "\(job.attempt)"])
    do {
      let outcome = try await outcome(of: job, flag: flag, logger: logger)
      if let outcome {
        let ended = try await repository.finish(job.id, outcome, now: Date())
        if ended.status == .cancelled { withdraw(job.id) }
        logger.info("job ended", metadata: ["status": "\(ended.status.rawValue)", "error": "\(ended.error?.detail ?? "none")"])
      } else {
        try await repository.requeue(job.id, now: Date())
        logger.info("job put back into the queue")
      }
    } catch {
      logger.error("the job's end can't be stored; it is taken up at the next start", metadata: ["error": "\(error)"])
    }
    running[job.id] = nil
    for waiter in endWaiters.keys { release(waiter) }
    wake()
  }

  /// nil where the job stopped because the daemon does.
  private func outcome(of job: Job, flag: CancellationFlag, logger: Logger) async throws -> JobOutcome? {
    // A cancel that came between the claim and `running` didn't find a flag to set.
    if try await repository.job(job.id)?.status == .cancelling { return .cancelled }
    do {
      return try await executor.execute(
        job, cancellation: flag, journal: JobJournal(repository, job: job.id, attempt: job.attempt))
    } catch is CancellationError {
      return flag.reason == .draining ? nil : .cancelled
    } catch let failure as Job.Failure {
      return .failed(failure)
    } catch {
      logger.error("the job failed unexpectedly", metadata: ["error": "\(error)"])
      return .failed(
        Job.Failure(code: "internal", detail: "an unexpected error ended the job: \(error)", advice: "The daemon's log has more."))
    }
  }
}
