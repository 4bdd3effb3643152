import Foundation
import JobModel
import JobRunner
import JobStore

/// Sees one attempt through: gives it to Slurm, takes over what its journal tells, and gives it up where it is lost.
actor AttemptFollower {
  let executor: SlurmExecutor
  let job: Job
  let folder: AttemptFolder
  let cancellation: CancellationFlag
  let journal: JobJournal
  var attempt: ClusterAttempt
  /// Of the worker.
  var pulse = Pulse()
  /// What squeue says of it is heeded if it was asked after this.
  var changedAt = ContinuousClock.now
  /// When its worker was first seen to have begun; nil: it hasn't.
  var startSeenAt: ContinuousClock.Instant?
  /// Looks at Slurm's queue in which it was missing.
  var misses: Set<ContinuousClock.Instant> = []
  /// When Slurm was first seen to have ended it.
  var overSince: ContinuousClock.Instant?
  /// How often sbatch refused it for a reason that isn't known to stay.
  var refusals = 0
  var placement: SlurmPlacement?

  init(_ executor: SlurmExecutor, job: Job, attempt: ClusterAttempt, cancellation: CancellationFlag, journal: JobJournal) {
    (self.executor, self.job, self.attempt, self.cancellation, self.journal) = (executor, job, attempt, cancellation, journal)
    folder = executor.folders.attempt(attempt.attempt, of: attempt.job)
    placement = job.slurm
  }

  /// - Throws: `CancellationError`, `AttemptLost`, `Job.Failure`.
  func follow() async throws -> JobOutcome {
    // A daemon before this one gave it up, and was killed before it had stored that with the job.
    if attempt.state == .fenced {
      throw cancellation.reason == .cancelled
        ? CancellationError() as any Error : AttemptLost(reason: "it was given up", hadStarted: attempt.consumed > 0)
    }
    let seen = try await look()
    let isTakenUp = seen.isStarted || attempt.state != .prepared
    var lease: (any Sendable)?
    defer { withExtendedLifetime(lease) {} }
    if cancellation.reason == nil {
      if isTakenUp {
        lease = try? await prepare().lease
      } else {
        let prepared = try await prepare()
        lease = prepared.lease
        try await write(prepared)
        // A daemon before this one may have asked sbatch, and been killed before it knew the answer.
        if job.status == .running, job.slurm?.name != attempt.name { try await submit() }
      }
    }
    while true {
      if cancellation.reason == .draining { throw CancellationError() }
      if let end = try await absorb(look()) { return try await settle(end) }
      if cancellation.reason == .cancelled { try await cancel() }
      try await heedSlurm()
      try await Task.sleep(for: executor.settings.timing.tick)
    }
  }

  private func prepare() async throws -> PreparedJob {
    let (prepare, job, cancellation, journal) = (executor.prepare, job, cancellation, journal)
    return try await executor.pool.run { try prepare(job, cancellation, journal) }
  }

  /// Makes the attempt's folder.
  private func write(_ prepared: PreparedJob) async throws {
    let (settings, folders, folder, number) = (executor.settings, executor.folders, folder, attempt.attempt)
    let history =
      job.request.damping.start == .history
      ? try await executor.repository.dampingHistory(
        of: try await executor.repository.layerNames(of: job.id), before: job.startedAt ?? Date())
      : []
    var work = prepared.job
    // Its receiver is the daemon's business.
    work.request.webhook = nil
    let (id, job) = (work.id, work)
    let specification = AttemptSpecification(
      job: job, files: prepared.files, history: history, cores: job.request.slurm?.cpus ?? settings.defaults.cpus,
      memory: settings.memory(of: job.request), maxShardBytes: executor.maxShardBytes, nodes: job.request.nodes ?? 1)
    let script = BatchScript(specification, folder: folder, settings: settings)
    try await executor.pool.run {
      try folder.make()
      try folders.retireAttempts(of: id, before: number)
      try folders.handBlocks(of: id, to: folder)
      try script.write()
      try specification.write(to: folder)
    }
  }

  // MARK: - The worker

  /// Looks at the folder, on a thread that may block.
  func look() async throws -> AttemptSighting {
    let (folder, offset) = (folder, attempt.consumed)
    do {
      let seen = try await executor.pool.run { try AttemptSighting(of: folder, from: offset) }
      pulse.see(seen.pulse)
      if seen.isStarted, startSeenAt == nil { startSeenAt = .now }
      return seen
    } catch let error as AttemptError {
      startSeenAt = startSeenAt ?? .now
      try await lose("\(error)")
    }
  }

  /// Takes over what the journal tells.
  ///
  /// - Returns: How the attempt ended; nil where it didn't.
  private func absorb(_ seen: AttemptSighting) async throws -> AttemptEnd? {
    let (before, tail) = (attempt, seen.tail)
    if tail.offset > before.consumed {
      let isNew = try await executor.persisting(cancellation) {
        try await executor.repository.absorb(tail.entries, of: before, upTo: tail.offset)
      }
      guard isNew else { throw AttemptLost(reason: "its journal was taken over by another", hadStarted: true) }
      attempt.consumed = tail.offset
    }
    if let worker = tail.worker, placement?.nodes == nil {
      var known = placement ?? SlurmPlacement(name: attempt.name)
      known.nodes = worker.host
      try await place(known)
    }
    return tail.end
  }

  private func settle(_ end: AttemptEnd) async throws -> JobOutcome {
    let (folders, folder, id) = (executor.folders, folder, job.id)
    switch end {
    case .outcome(.cancelled):
      if cancellation.reason == .cancelled { try await cancel() }
      try await lose("it was withdrawn")
    case .outcome(let outcome):
      if var known = placement {
        // Slurm will say so too, when its worker's process has ended.
        (known.state, known.reason, known.unreachable) = ("COMPLETED", nil, nil)
        try await place(known)
      }
      if case .succeeded = outcome {
        let isPublished = try await executor.persisting(cancellation) {
          try await executor.pool.run { try folders.publish(folder, of: id) }
        }
        guard isPublished else { try await lose("its artifact isn't there") }
      } else {
        try await executor.persisting(cancellation) { try await executor.pool.run { try folders.retire(folder, of: id) } }
      }
      return outcome
    case .stopped(let reason):
      if cancellation.reason == .cancelled { try await cancel() }
      try await lose(reason)
    }
  }
}
