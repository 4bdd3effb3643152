import Foundation
import GRDB
import JobModel
import StrictJSON

/// Takes down what a running job does in the database: each entry is a durable transaction that the thread waits for.
public struct JobJournal: JobRecorder {
  let database: DatabasePool
  private let observe: TransactionMeter
  public let job: JobID
  public let attempt: Int

  public init(_ repository: JobRepository, job: JobID, attempt: Int) {
    database = repository.database
    observe = repository.observe
    self.job = job
    self.attempt = attempt
  }

  public func record(_ entry: JournalEntry) throws { try write { try $0.apply(entry, of: job, attempt: attempt, at: Date()) } }

  public func knownDamping(of layer: String, in context: DampingContext, before moment: Date) throws -> KnownDamping? {
    try database.read { try $0.knownDamping(of: layer, in: context, before: moment) }
  }

  /// - Throws: `JobStoreError` for what the disk doesn't do, what `body` throws.
  func write(_ body: (Database) throws -> Void) throws {
    let start = ContinuousClock.now
    defer { observe(.write, .now - start) }
    do {
      try database.write(body)
    } catch let error as DatabaseError {
      throw error.ofStore(database.path)
    }
  }
}

extension Database {
  /// Stores what a running job told.
  ///
  /// - Parameter attempt: Which start of the job told it.
  func apply(_ entry: JournalEntry, of job: JobID, attempt: Int, at now: Date) throws {
    switch entry {
    case .begin(let layers, let finished): try begin(layers, finished: finished, of: job)
    case .stage(let stage):
      _ = try update(requireJob(job.text)) { $0.stage = stage }
      try append(.stage, to: job, ["stage": .string(stage.rawValue)], at: now)
    case .progress(let progress): _ = try update(requireJob(job.text)) { $0.progress = progress }
    case .layer(let layer):
      try put(layer, of: job)
      try append(.layer, to: job, try APICoding.json(encoding: layer), at: now)
      try countLayer(layer)
    case .failed(let layer): try markFailed(layer, of: job, attempt: attempt, at: now)
    case .attempt(let attempt): try add(attempt, to: job)
    case .warning(let message):
      _ = try update(requireJob(job.text)) { $0.warnings.append(message) }
      try append(.warning, to: job, ["message": .string(message)], at: now)
    case .cure(let known, let layer, let context): try remember(known, for: layer, in: context, of: job, at: now)
    }
  }

  private func begin(_ layers: [LayerRecord], finished: Int, of job: JobID) throws {
    try execute(sql: "DELETE FROM layers WHERE job = ? AND position >= ?", arguments: [job.text, finished])
    for layer in layers.dropFirst(finished) { try put(layer, of: job) }
    _ = try update(requireJob(job.text)) { job in
      job.progress = .init(done: finished, total: layers.count, fraction: Double(finished) / Double(max(1, layers.count)))
    }
  }

  private func markFailed(_ name: String, of job: JobID, attempt: Int, at now: Date) throws {
    let layers = try values(
      LayerRecord.self, sql: "SELECT body FROM layers WHERE job = ? AND name = ?", arguments: [job.text, name])
    guard var layer = layers.first else { return }
    layer.state = .failed
    layer.attempts =
      try Int.fetchOne(
        self, sql: "SELECT count(*) FROM attempts WHERE job = ? AND layer = ? AND json_extract(body, '$.job_attempt') = ?",
        arguments: [job.text, name, attempt]) ?? 0
    try put(layer, of: job)
    try append(.layer, to: job, try APICoding.json(encoding: layer), at: now)
  }

  private func add(_ attempt: AttemptRecord, to job: JobID) throws {
    try execute(
      sql: "INSERT INTO attempts (job, layer, cause, damping, precision, outcome, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
      arguments: [
        job.text, attempt.layer, attempt.cause?.rawValue, attempt.damping, attempt.precision.rawValue, attempt.outcome.rawValue,
        try APICoding.text(encoding: attempt),
      ])
    try append(.attempt, to: job, try APICoding.json(encoding: attempt), at: attempt.at)
    try count(.attempts, [attempt.cause?.rawValue ?? "none", attempt.outcome.rawValue])
  }
}
