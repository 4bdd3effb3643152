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
  private var pulse = Pulse()
  /// What squeue says of it is heeded if it was asked after this.
  private var changedAt = ContinuousClock.now
  /// When its worker was first seen to have begun.
  private var startSeenAt: ContinuousClock.Instant?
  /// Looks at Slurm's queue in which it was missing.
  private var misses: Set<ContinuousClock.Instant> = []
  /// When Slurm was first seen to have ended it.
  private var overSince: ContinuousClock.Instant?
  /// How often sbatch refused it for a reason that isn't known to stay.
  private var refusals = 0
  private var placement: SlurmPlacement?

  init(_ executor: SlurmExecutor, job: Job, attempt: ClusterAttempt, cancellation: CancellationFlag, journal: JobJournal) {
    (self.executor, self.job, self.attempt, self.cancellation, self.journal) = (executor, job, attempt, cancellation, journal)
    folder = executor.folders.attempt(attempt.attempt, of: attempt.job)
    placement = job.slurm
  }

  /// - Throws: `CancellationError`, `AttemptLost`, `Job.Failure`.
  func follow() async throws -> JobOutcome {
    let isTakenUp = folder.isStarted || attempt.state != .prepared
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
      if let end = try await absorb() { return try await settle(end) }
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

  // MARK: - Slurm

  private func submit() async throws {
    let arguments = BatchScript.arguments(of: job.request, name: attempt.name, folder: folder, settings: executor.settings)
    try await place(SlurmPlacement(name: attempt.name, state: "SUBMITTING"))
    defer { changedAt = .now }
    do {
      let id = try await executor.commands.submit(folder.script, arguments)
      misses = []
      refusals = 0
      let before = attempt
      attempt = try await executor.persisting(cancellation) { try await executor.repository.submitted(before, as: id, now: Date()) }
      if !folder.isStarted { try? journal.stage(.waiting) }
      try await place(SlurmPlacement(name: attempt.name, id: id, state: "PENDING", submittedAt: attempt.submittedAt))
      executor.logger.info("attempt given to Slurm", metadata: ["job": "\(job.id)", "name": "\(attempt.name)", "slurm_job": "\(id)"])
    } catch let failure as SlurmCommands.Failure {
      try await heed(failure)
    }
  }

  private func heed(_ failure: SlurmCommands.Failure) async throws {
    try await place(SlurmPlacement(name: attempt.name, state: "SUBMITTING", unreachable: failure.description))
    executor.logger.error("Slurm doesn't take an attempt", metadata: ["job": "\(job.id)", "error": "\(failure)"])
    if failure.isOfConnection { return }
    refusals += 1
    guard failure.isFinal || refusals >= Self.mostRefusals else { return }
    try await withdraw()
    throw Job.Failure(
      code: "slurm_refused", detail: "Slurm doesn't take the job: \(failure)",
      advice: "Change what is asked for (gptqctl retry with --slurm-partition, --slurm-cpus, --slurm-memory, --slurm-time or "
        + "--slurm-constraint), or the server's defaults (slurm.* in its configuration).")
  }

  private static let mostRefusals = 10

  /// Compares what Slurm says with what the folder shows.
  private func heedSlurm() async throws {
    await executor.queue.refreshSoon(unlessYoungerThan: executor.settings.timing.poll)
    pulse.look(at: folder)
    if folder.isStarted, startSeenAt == nil { startSeenAt = .now }
    guard let look = await executor.queue.look else {
      var known = placement ?? SlurmPlacement(name: attempt.name)
      known.unreachable = await executor.queue.trouble ?? "it wasn't asked yet"
      return try await place(known)
    }
    guard look.at > changedAt else { return }
    guard let entry = look.job(attempt.name) else { return try await heedAbsence(from: look) }
    misses = []
    if attempt.schedulerID == nil {
      let before = attempt
      attempt = try await executor.persisting(cancellation) { try await executor.repository.submitted(before, as: entry.id, now: Date()) }
    }
    try await place(
      SlurmPlacement(
        name: attempt.name, id: entry.id, state: entry.state, reason: entry.reason, nodes: entry.nodes ?? placement?.nodes,
        submittedAt: attempt.submittedAt))
    if entry.isOver {
      try await heedEnd(entry)
      return
    }
    overSince = nil
    // A controller that crashed may have saved a job as waiting that has begun since: as long as its worker lives, that is it.
    if entry.isWaiting, let startSeenAt, look.at > startSeenAt, pulse.isSilent(for: executor.settings.timing.silence) {
      try await lose("Slurm put it into its queue again: \(entry.summary)")
    }
  }

  private func heedAbsence(from look: SlurmQueue.Look) async throws {
    misses.insert(look.at)
    guard misses.count >= 2 else { return }
    guard folder.isStarted else {
      executor.logger.warning(
        "Slurm has lost an attempt, which is submitted again", metadata: ["job": "\(job.id)", "name": "\(attempt.name)"])
      return try await submit()
    }
    try await place(
      SlurmPlacement(
        name: attempt.name, id: attempt.schedulerID, state: "LOST", nodes: placement?.nodes, submittedAt: attempt.submittedAt))
    // Its worker may well come to the end without Slurm.
    if pulse.isSilent(for: executor.settings.timing.silence) {
      try await lose("Slurm doesn't know it any more, and its worker is silent\(lastWords)")
    }
  }

  private func heedEnd(_ entry: SlurmJob) async throws {
    // A controller that crashed starts some jobs twice: the second worker finds the first one's mark and ends.
    if entry.foundAnotherWorker, !pulse.isSilent(for: executor.settings.timing.silence) { return }
    let since = overSince ?? .now
    overSince = since
    // The worker's last line may be on its way.
    guard ContinuousClock.now - since >= executor.settings.timing.tick * 2 else { return }
    try await lose(
      entry.foundAnotherWorker ? "Slurm started it twice, and its first worker is silent" : "Slurm ended it: \(entry.summary)\(lastWords)")
  }

  private var lastWords: String {
    let words = folder.lastWords
    return words.isEmpty ? "" : "; it said: \(words)"
  }

  private func place(_ placement: SlurmPlacement) async throws {
    guard placement != self.placement else { return }
    self.placement = placement
    let id = job.id
    try await executor.persisting(cancellation) { try await executor.repository.place(id, placement) }
  }

  // MARK: - The worker

  /// Takes over what the journal tells.
  ///
  /// - Returns: How the attempt ended; nil where it didn't.
  private func absorb() async throws -> AttemptEnd? {
    let (folder, before) = (folder, attempt)
    let tail: JournalTail
    do {
      tail = try await executor.pool.run { try JournalTail(of: folder, from: before.consumed) }
    } catch let error as AttemptError {
      try await lose("\(error)")
    }
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

  /// Makes sure that nothing comes of the attempt, and ends it wherever it is.
  private func withdraw() async throws {
    let (folders, folder, id, before) = (executor.folders, folder, job.id, attempt)
    try await executor.persisting(cancellation) {
      try await executor.pool.run {
        guard FileManager.default.fileExists(atPath: folder.url.path) else { return }
        _ = try folder.claim(by: "the daemon")
        try folder.raiseFence()
        try folders.retire(folder, of: id)
      }
    }
    try await executor.persisting(cancellation) { try await executor.repository.fence(before) }
    // Where Slurm doesn't answer, it is an orphan that is cancelled later.
    try? await executor.commands.cancel(name: attempt.name)
  }

  private func lose(_ reason: String) async throws -> Never {
    let hadStarted = folder.isStarted || overSince != nil
    try await withdraw()
    throw AttemptLost(reason: reason, hadStarted: hadStarted)
  }

  /// Returns when the node has let go of it, or is silent.
  private func cancel() async throws -> Never {
    let wasStarted = folder.isStarted
    try await withdraw()
    changedAt = .now
    while wasStarted, cancellation.reason != .draining {
      if let end = try? JournalTail(of: folder, from: attempt.consumed).end, case _ = end { break }
      pulse.look(at: folder)
      if pulse.isSilent(for: executor.settings.timing.silence) { break }
      await executor.queue.refreshSoon(unlessYoungerThan: executor.settings.timing.poll)
      if let look = await executor.queue.look, look.at > changedAt, look.job(attempt.name)?.isOver ?? true { break }
      try await Task.sleep(for: executor.settings.timing.tick)
    }
    throw CancellationError()
  }
}

/// When a worker last showed that it lives.
struct Pulse {
  private var last: Data?
  private var changedAt = ContinuousClock.now

  mutating func look(at folder: AttemptFolder) {
    let now = try? Data(contentsOf: folder.pulse)
    if now != last { (last, changedAt) = (now, .now) }
  }

  func isSilent(for time: Duration) -> Bool { ContinuousClock.now - changedAt >= time }
}

extension SlurmCommands.Failure {
  /// Slurm can't be asked; what was asked may have happened.
  var isOfConnection: Bool {
    switch self {
    case .notStarted, .late: true
    case .refused(_, _, let message):
      [
        "Unable to contact slurm controller", "Socket timed out", "Connection refused", "Connection timed out",
        "Zero Bytes were transmitted",
        "standby", "Communication connection failure", "Unable to establish", "munge", "Protocol authentication error",
      ].contains(where: message.contains)
    }
  }

  /// What sbatch will never take.
  var isFinal: Bool {
    guard case .refused(_, let status, let message) = self else { return false }
    return status == 255
      || [
        "nvalid partition", "Requested node configuration is not available", "Invalid feature", "Invalid license", "Invalid account",
        "Invalid qos", "Invalid generic resource", "time limit is invalid", "violates accounting/QOS policy", "ermission denied",
        "not permitted to use this partition", "More processors requested than permitted", "Unable to open file",
      ].contains(where: message.contains)
  }
}
