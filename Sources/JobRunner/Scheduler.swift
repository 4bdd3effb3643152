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
  private let clearUp: @Sendable (JobID) -> Void
  private let makeRoom: @Sendable () -> Void
  private let logger: Logger
  private var running: [JobID: CancellationFlag] = [:]
  /// Jobs that run.
  public var runningCount: Int { running.count }
  private var isDraining = false
  /// What kept the executor from starting jobs when it was asked last; nil: it wasn't asked yet.
  private var knownObstacle: String??
  private let (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameters:
  ///   - workers: Jobs that run at once.
  ///   - gracePeriod: How long running jobs may take to stop when the daemon does.
  ///   - makeRoom: Gives the database some of a full disk's space, so that a job's end can be stored.
  ///   - clearUp: Removes what a job needed only until its success was stored.
  ///   - withdraw: Removes what a job published before it failed or turned out to be cancelled.
  public init(
    repository: JobRepository, executor: any JobExecutor, workers: Int, gracePeriod: Duration, logger: Logger,
    makeRoom: @escaping @Sendable () -> Void = {}, clearUp: @escaping @Sendable (JobID) -> Void = { _ in },
    withdraw: @escaping @Sendable (JobID) -> Void
  ) {
    self.init(
      repository: repository, executor: executor, workers: workers, gracePeriod: gracePeriod, logger: logger, makeRoom: makeRoom,
      clearUp: clearUp, withdraw: withdraw, claimNext: { try await repository.claimNext(now: Date()) })
  }

  /// - Parameter claimNext: Instead of the repository's, for tests of what comes between.
  package init(
    repository: JobRepository, executor: any JobExecutor, workers: Int, gracePeriod: Duration, logger: Logger,
    makeRoom: @escaping @Sendable () -> Void = {}, clearUp: @escaping @Sendable (JobID) -> Void = { _ in },
    withdraw: @escaping @Sendable (JobID) -> Void, claimNext: @escaping Claim
  ) {
    self.repository = repository
    self.claimNext = claimNext
    self.executor = executor
    self.workers = max(1, workers)
    self.gracePeriod = gracePeriod
    self.logger = logger
    self.makeRoom = makeRoom
    self.clearUp = clearUp
    self.withdraw = withdraw
  }

  /// Looks for work; to be called after a submission.
  public nonisolated func wake() { waker.yield() }

  /// Asks a running job to stop; nothing happens if it doesn't run.
  public func cancel(_ id: JobID) { running[id]?.set(.cancelled) }

  /// Runs jobs until the daemon stops.
  public func run() async throws {
    let jobs = try await jobsOfTheDaemonBefore()
    for job in jobs { executor.outlivesDaemon ? start(job) : log(takenUp: job) }
    wake()
    await withGracefulShutdownHandler {
      for await _ in wakes {
        while !isDraining, running.count < workers, await isReady(), let job = await claim() {
          // A retry can come before the scheduler has seen the end of the start before.
          while running[job.id] != nil { await nextEnd() }
          // Runs alone, so that it brings down no other job's start, nor is blamed for another's.
          let runsAlone = job.isSuspect && !executor.outlivesDaemon
          if runsAlone { while !running.isEmpty, !isDraining { await nextEnd() } }
          start(job)
          if runsAlone { while running[job.id] != nil, !isDraining { await nextEnd() } }
        }
      }
      await drain()
    } onGracefulShutdown: {
      Task { await self.beginDraining() }
    }
  }

  private func start(_ job: Job) {
    let flag = CancellationFlag()
    running[job.id] = flag
    // A daemon before this was asked, or this one was asked to stop during the claim.
    if job.status == .cancelling { flag.set(.cancelled) }
    if isDraining { flag.set(.draining) }
    // Not a child task: that one would be waited for, also after the grace period.
    Task { await self.see(job, through: flag) }
  }

  private func log(takenUp job: Job) {
    let metadata: Logger.Metadata = ["job": "\(job.id)", "interruptions": "\(job.interruptions.count)"]
    if let failure = job.error {
      logger.error("job given up", metadata: metadata.merging(["error": "\(failure.detail)"]) { $1 })
    } else {
      logger.notice("job taken up again", metadata: metadata)
    }
  }

  /// Tells of what keeps the executor from starting jobs with those that wait, and looks again later.
  private func isReady() async -> Bool {
    guard executor.outlivesDaemon else { return true }
    let obstacle = await executor.obstacle()
    // While there is one, further jobs may have come.
    if obstacle != nil || knownObstacle != .some(nil) {
      do {
        try await repository.noteUnreachable(obstacle)
        knownObstacle = .some(obstacle)
      } catch {
        logger.error("what keeps jobs waiting can't be stored", metadata: ["error": "\(error)"])
      }
    }
    guard obstacle != nil else { return true }
    wake(after: Self.patience)
    return false
  }

  private func wake(after pause: Duration) {
    Task {
      try? await Task.sleep(for: pause)
      wake()
    }
  }

  /// Tries again as long as the disk doesn't take it.
  private func jobsOfTheDaemonBefore() async throws -> [Job] {
    while true {
      do {
        return executor.outlivesDaemon ? try await repository.unended() : try await repository.takeUpOrphans(now: Date())
      } catch let error as JobStoreError where error.isOfDisk && !isDraining {
        logger.error("the jobs of the daemon before can't be taken up yet", metadata: ["error": "\(error)"])
        makeRoom()
        try await Task.sleep(for: Self.patience)
      }
    }
  }

  private func claim() async -> Job? {
    do {
      return try await claimNext()
    } catch {
      logger.error("the queue waits: it can't be read", metadata: ["error": "\(error)"])
      wake(after: Self.patience)
      return nil
    }
  }

  /// Most time between two tries at what the disk doesn't do.
  private static let patience = Duration.seconds(5)

  /// Takes no more jobs, and asks those that run to stop.
  package func beginDraining() {
    isDraining = true
    for flag in running.values { flag.set(.draining) }
    for waiter in endWaiters.keys { release(waiter) }
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
    guard !executor.outlivesDaemon else { return }
    for id in running.keys {
      logger.warning("the job still runs after the grace period; it is put back into the queue", metadata: ["job": "\(id)"])
      // That the daemon ends now is no fault of the job.
      try? await repository.requeue(id, now: Date())
    }
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
      if outcome != nil || !executor.outlivesDaemon { try await storeEnd(of: job, outcome, logger) }
    } catch let loss as AttemptLost {
      await giveUpAttempt(of: job, loss, logger)
    } catch {
      logger.error("the job's end can't be stored; it is taken up at the next start", metadata: ["error": "\(error)"])
    }
    running[job.id] = nil
    for waiter in endWaiters.keys { release(waiter) }
    wake()
  }

  /// Tries again as long as the disk doesn't take it: a job whose end isn't stored would seem to run for ever.
  ///
  /// - Parameter outcome: nil: the job goes back into the queue.
  private func storeEnd(of job: Job, _ outcome: JobOutcome?, _ logger: Logger) async throws {
    var pause = Duration.milliseconds(100)
    if case .failed = outcome { withdraw(job.id) }
    while true {
      do {
        guard let outcome else {
          try await repository.requeue(job.id, now: Date())
          return logger.info("job put back into the queue")
        }
        let ended = try await repository.finish(job.id, outcome, now: Date())
        if ended.status == .cancelled { withdraw(job.id) }
        if ended.status == .succeeded { clearUp(job.id) }
        return logger.info("job ended", metadata: ["status": "\(ended.status.rawValue)", "error": "\(ended.error?.detail ?? "none")"])
      } catch let error as JobStoreError where error.isOfDisk && !isDraining {
        logger.error("the job's end can't be stored yet", metadata: ["error": "\(error)"])
        makeRoom()
        try await Task.sleep(for: pause)
        pause = min(pause * 2, Self.patience)
      }
    }
  }

  private func giveUpAttempt(of job: Job, _ loss: AttemptLost, _ logger: Logger) async {
    logger.warning("the attempt is lost", metadata: ["attempt": "\(job.attempt)", "reason": "\(loss.reason)"])
    while !isDraining {
      do {
        let now = try await repository.giveUpAttempt(
          of: job.id, because: loss.reason, isInterruption: loss.hadStarted, now: Date())
        if now.status == .failed { withdraw(job.id) }
        return log(takenUp: now)
      } catch {
        logger.error("that the attempt is lost can't be stored yet", metadata: ["error": "\(error)"])
        makeRoom()
        try? await Task.sleep(for: Self.patience)
      }
    }
  }

  /// nil where the job stopped, or is left alone, because the daemon stops.
  private func outcome(of job: Job, flag: CancellationFlag, logger: Logger) async throws -> JobOutcome? {
    do {
      // A cancel that came between the claim and `running` didn't find a flag to set.
      if try await repository.job(job.id)?.status == .cancelling {
        guard executor.outlivesDaemon else { return .cancelled }
        flag.set(.cancelled)
      }
      return try await executor.execute(
        job, cancellation: flag, journal: JobJournal(repository, job: job.id, attempt: job.attempt))
    } catch is CancellationError {
      return flag.reason == .draining ? nil : .cancelled
    } catch let loss as AttemptLost {
      throw loss
    } catch let failure as Job.Failure {
      return .failed(failure)
    } catch {
      logger.error("the job failed unexpectedly", metadata: ["error": "\(error)"])
      return .failed(
        Job.Failure(code: "internal", detail: "an unexpected error ended the job: \(error)", advice: "The daemon's log has more."))
    }
  }
}
