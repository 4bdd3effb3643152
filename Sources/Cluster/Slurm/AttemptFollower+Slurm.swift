import Foundation
import JobModel
import JobRunner
import JobStore

/// What is said to Slurm, and what is made of its answers.
extension AttemptFollower {
  func submit() async throws {
    let arguments = BatchScript.arguments(of: job.request, name: attempt.name, folder: folder, settings: executor.settings)
    try await place(SlurmPlacement(name: attempt.name, state: "SUBMITTING"))
    defer { changedAt = .now }
    do {
      let id = try await executor.commands.submit(folder.script, arguments)
      misses = []
      refusals = 0
      let before = attempt
      attempt = try await executor.persisting(cancellation) { try await executor.repository.submitted(before, as: id, now: Date()) }
      try? journal.stage(.waiting)
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
  func heedSlurm() async throws {
    await executor.queue.refreshSoon(unlessYoungerThan: executor.settings.timing.poll)
    guard let look = await executor.queue.look else {
      guard let trouble = await executor.queue.trouble else { return }
      var known = placement ?? SlurmPlacement(name: attempt.name)
      known.unreachable = trouble
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
    guard startSeenAt != nil else {
      executor.logger.warning(
        "Slurm has lost an attempt, which is submitted again", metadata: ["job": "\(job.id)", "name": "\(attempt.name)"])
      return try await submit()
    }
    try await place(
      SlurmPlacement(
        name: attempt.name, id: attempt.schedulerID, state: "LOST", nodes: placement?.nodes, submittedAt: attempt.submittedAt))
    // Its worker may well come to the end without Slurm.
    if pulse.isSilent(for: executor.settings.timing.silence) {
      try await lose("Slurm doesn't know it any more, and its worker is silent" + lastWords())
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
      entry.foundAnotherWorker ? "Slurm started it twice, and its first worker is silent" : "Slurm ended it: " + entry.summary + lastWords()
    )
  }

  private func lastWords() async throws -> String {
    let folder = folder
    let words = try await executor.pool.run { folder.lastWords }
    return words.isEmpty ? "" : "; it said: \(words)"
  }

  func place(_ placement: SlurmPlacement) async throws {
    guard placement != self.placement else { return }
    self.placement = placement
    let id = job.id
    try await executor.persisting(cancellation) { try await executor.repository.place(id, placement) }
  }

  // MARK: - Ends

  /// Makes sure that nothing comes of the attempt, and ends it wherever it is.
  func withdraw() async throws {
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

  func lose(_ reason: String) async throws -> Never {
    let hadStarted = startSeenAt != nil || overSince != nil
    try await withdraw()
    throw AttemptLost(reason: reason, hadStarted: hadStarted)
  }

  /// Returns when the node has let go of it, or is silent.
  func cancel() async throws -> Never {
    try await withdraw()
    changedAt = .now
    while startSeenAt != nil, cancellation.reason != .draining {
      if try await look().tail.end != nil { break }
      if pulse.isSilent(for: executor.settings.timing.silence) { break }
      await executor.queue.refreshSoon(unlessYoungerThan: executor.settings.timing.poll)
      if let look = await executor.queue.look, look.at > changedAt, look.job(attempt.name)?.isOver ?? true { break }
      try await Task.sleep(for: executor.settings.timing.tick)
    }
    throw CancellationError()
  }
}
