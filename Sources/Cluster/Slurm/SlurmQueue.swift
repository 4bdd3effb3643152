import Foundation
import JobStore
import Logging

/// What Slurm has of this daemon's jobs, asked for no more often than needed.
actor SlurmQueue {
  /// An answer of squeue.
  struct Look: Sendable {
    /// When squeue was asked.
    let at: ContinuousClock.Instant
    /// By name.
    let jobs: [String: [SlurmJob]]

    func job(_ name: String) -> SlurmJob? { jobs[name].flatMap(SlurmJob.best) }
  }

  private let commands: SlurmCommands
  private let repository: JobRepository
  private let logger: Logger
  private var last: Look?
  /// Why squeue didn't answer when it was asked last.
  private(set) var trouble: String?
  private var lastAsked: ContinuousClock.Instant?
  private var asking: Task<Void, Never>?
  /// Slurm's numbers of jobs that nobody wanted at the last look.
  private var suspects: Set<Int> = []

  init(_ commands: SlurmCommands, repository: JobRepository, logger: Logger) {
    (self.commands, self.repository, self.logger) = (commands, repository, logger)
  }

  /// The last answer; nil where there was none yet, or none to the last question.
  var look: Look? { trouble == nil ? last : nil }

  /// The same without waiting for the answer.
  func refreshSoon(unlessYoungerThan age: Duration) {
    guard asking == nil, lastAsked.map({ ContinuousClock.now - $0 >= age }) ?? true else { return }
    Task { await self.refresh(unlessYoungerThan: age) }
  }

  /// Asks squeue, unless that was done within `age`; several callers at once share one answer.
  func refresh(unlessYoungerThan age: Duration) async {
    if let asking { return await asking.value }
    if let lastAsked, ContinuousClock.now - lastAsked < age { return }
    let task = Task { await self.ask() }
    asking = task
    await task.value
    asking = nil
  }

  private func ask() async {
    let start = ContinuousClock.now
    lastAsked = start
    do {
      let jobs = try await commands.queue()
      if trouble != nil { logger.notice("Slurm answers again") }
      trouble = nil
      last = Look(at: start, jobs: Dictionary(grouping: jobs, by: \.name))
      await cancelOrphans(jobs)
    } catch {
      if trouble == nil { logger.error("Slurm doesn't answer; jobs wait", metadata: ["error": "\(error)"]) }
      trouble = "\(error)"
    }
  }

  /// Cancels jobs that this database submitted and wants no more: of attempts that were fenced, or of jobs that ended or were deleted.
  private func cancelOrphans(_ jobs: [SlurmJob]) async {
    do {
      let prefix = try await repository.submissionPrefix()
      let ours = jobs.filter { $0.name.hasPrefix(prefix) && !$0.isOver }
      guard !ours.isEmpty else {
        suspects = []
        return
      }
      // Read after squeue was asked: a row is there before its job.
      let wanted = Set(try await repository.attemptsInHand().map(\.name))
      let unwanted = ours.filter { !wanted.contains($0.name) }
      // One that has just ended may need a moment more to say so.
      let orphans = unwanted.filter { suspects.contains($0.id) }
      suspects = Set(unwanted.map(\.id))
      guard !orphans.isEmpty else { return }
      logger.warning("jobs of attempts that don't count are cancelled in Slurm", metadata: ["names": "\(orphans.map(\.name))"])
      try await commands.cancel(orphans.map(\.id))
    } catch {
      logger.error("orphans in Slurm can't be cancelled yet", metadata: ["error": "\(error)"])
    }
  }
}
