import Foundation
import GRDB
import JobModel

extension JobRepository {
  /// Begins every name of this database's jobs in a scheduler.
  public func submissionPrefix() async throws -> String { try await read { try $0.submissionPrefix() } }

  /// The row of an attempt, made where there is none.
  public func prepareAttempt(of job: JobID, attempt: Int) async throws -> ClusterAttempt {
    try await write { database in
      if let stored = try database.submission(of: job, attempt: attempt) { return stored }
      try database.execute(
        sql: "INSERT INTO submissions (job, attempt, name, state) VALUES (?, ?, ?, 'prepared')",
        arguments: [job.text, attempt, try database.submissionPrefix() + "\(job)-\(attempt)"])
      guard let stored = try database.submission(of: job, attempt: attempt) else { throw JobStoreError.unknownJob(job.text) }
      return stored
    }
  }

  /// The scheduler took an attempt.
  ///
  /// - Parameter id: Its number of it.
  public func submitted(_ attempt: ClusterAttempt, as id: Int, now: Date) async throws -> ClusterAttempt {
    try await write { database in
      try database.execute(
        sql:
          "UPDATE submissions SET state = 'submitted', scheduler_id = ?, submitted_at = ? WHERE job = ? AND attempt = ? AND state <> 'fenced'",
        arguments: [id, APICoding.text(now), attempt.job.text, attempt.attempt])
      if database.changesCount == 1 { try database.count(.submissions) }
      return try database.submission(of: attempt.job, attempt: attempt.attempt) ?? attempt
    }
  }

  /// Whatever an attempt still does counts for nothing.
  public func fence(_ attempt: ClusterAttempt) async throws {
    try await write { database in
      try database.execute(
        sql: "UPDATE submissions SET state = 'fenced' WHERE job = ? AND attempt = ? AND state <> 'fenced'",
        arguments: [attempt.job.text, attempt.attempt])
      if database.changesCount == 1 { try database.count(.fencedAttempts) }
    }
  }

  /// Those of which something may come: the last ones of jobs that run or are being cancelled.
  public func attemptsInHand() async throws -> [ClusterAttempt] {
    try await read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT submissions.* FROM submissions JOIN jobs ON jobs.id = submissions.job
          WHERE state <> 'fenced' AND status IN ('running', 'cancelling') AND attempt = json_extract(body, '$.attempt')
          """
      ).map(ClusterAttempt.init)
    }
  }

  /// Takes over what an attempt wrote into its journal, each byte once.
  ///
  /// - Parameter end: Where the part of the journal that the entries are from ends; it began where the attempt's `consumed` is.
  /// - Returns: false where the attempt was fenced, or the part is in the database already.
  public func absorb(_ entries: [TimedEntry], of attempt: ClusterAttempt, upTo end: Int) async throws -> Bool {
    try await write { database in
      guard let stored = try database.submission(of: attempt.job, attempt: attempt.attempt), stored.state != .fenced,
        stored.consumed == attempt.consumed
      else { return false }
      for entry in entries { try database.apply(entry.entry, of: attempt.job, attempt: attempt.attempt, at: entry.at) }
      try database.execute(
        sql: "UPDATE submissions SET consumed = ? WHERE job = ? AND attempt = ?",
        arguments: [end, attempt.job.text, attempt.attempt])
      return true
    }
  }

  /// In the order in which the job handles them.
  public func layerNames(of job: JobID) async throws -> [String] {
    try await read { try String.fetchAll($0, sql: "SELECT name FROM layers WHERE job = ? ORDER BY position", arguments: [job.text]) }
  }

  /// Stores where a job is in Slurm's hands; nothing happens where that is known, or the job is gone.
  public func place(_ id: JobID, _ placement: SlurmPlacement) async throws {
    try await write { database in
      guard let job = try database.job(id), job.slurm != placement else { return }
      try database.update(job) { $0.slurm = placement }
    }
  }

  /// Stores with the jobs that wait why none is submitted.
  ///
  /// - Parameter reason: nil: some can be.
  public func noteUnreachable(_ reason: String?) async throws {
    try await write { database in
      let others = try database.jobs(
        sql: "SELECT body FROM jobs WHERE status = 'queued' AND body ->> '$.slurm.unreachable' IS NOT ?", arguments: [reason])
      for job in others {
        try database.update(job) { job in
          var placement = job.slurm ?? SlurmPlacement()
          placement.unreachable = reason
          job.slurm = placement == SlurmPlacement() ? nil : placement
        }
      }
    }
  }

  /// Jobs that run or are being cancelled, the oldest first.
  public func unended() async throws -> [Job] {
    try await read { try $0.jobs(sql: "SELECT body FROM jobs WHERE status IN ('running', 'cancelling') ORDER BY id") }
  }

  /// Puts a running job, whose attempt is lost, back into the queue; one that is being cancelled ends. A job that lost too many at the
  /// same place fails.
  ///
  /// - Parameter isInterruption: It had started.
  public func giveUpAttempt(of id: JobID, because reason: String, isInterruption: Bool, now: Date) async throws -> Job {
    try await write { database in
      let job = try database.requireJob(id.text)
      guard job.status == .running else { return try database.move(job, to: .cancelled, at: now) { $0.end(now) } }
      try database.count(.requeues)
      guard isInterruption else { return try database.move(job, to: .queued, at: now) { $0.stage = nil } }
      return try database.interrupt(job, because: reason, at: now)
    }
  }
}

extension Database {
  fileprivate func submission(of job: JobID, attempt: Int) throws -> ClusterAttempt? {
    try Row.fetchOne(self, sql: "SELECT * FROM submissions WHERE job = ? AND attempt = ?", arguments: [job.text, attempt])
      .map(ClusterAttempt.init)
  }

  fileprivate func submissionPrefix() throws -> String {
    "gptqd-\(try String.fetchOne(self, sql: "SELECT id FROM instance") ?? "")-"
  }

  /// Takes down that a running job was interrupted, and puts it back into the queue; fails it where that happened too often.
  func interrupt(_ job: Job, because reason: String?, at now: Date) throws -> Job {
    var interruption = try interruption(of: job, at: now)
    interruption.reason = reason
    try append(.interruption, to: job.id, APICoding.json(encoding: interruption), at: now)
    var interrupted = job
    interrupted.interruptions.append(interruption)
    if let failure = interrupted.interruptionFailure {
      return try move(job, to: .failed, at: now) { job in
        job.interruptions = interrupted.interruptions
        job.end(now)
        job.error = failure
      }
    }
    return try move(job, to: .queued, at: now) { job in
      job.interruptions = interrupted.interruptions
      job.stage = nil
    }
  }
}
