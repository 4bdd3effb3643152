import Foundation
import GRDB
import JobModel
import StrictJSON

/// What a running job tells of itself, from the worker's thread: each call is a durable transaction that the thread waits for.
public struct JobJournal: Sendable {
  let database: DatabasePool
  private let observe: TransactionMeter
  public let job: JobID
  /// Which start of the job this is.
  public let attempt: Int

  public init(_ repository: JobRepository, job: JobID, attempt: Int) {
    database = repository.database
    observe = repository.observe
    self.job = job
    self.attempt = attempt
  }

  /// Replaces the job's layers by those that this start will handle. Attempts of earlier starts are kept.
  ///
  /// - Parameter finished: The first so many layers are as an earlier start left them.
  public func begin(layers: [LayerRecord], finished: Int = 0) throws {
    try write { database in
      try database.execute(sql: "DELETE FROM layers WHERE job = ? AND position >= ?", arguments: [job.text, finished])
      for layer in layers.dropFirst(finished) { try database.put(layer, of: job) }
      _ = try database.update(database.requireJob(job.text)) { job in
        job.progress = .init(done: finished, total: layers.count, fraction: Double(finished) / Double(max(1, layers.count)))
      }
    }
  }

  public func stage(_ stage: Job.Stage) throws {
    try write { database in
      _ = try database.update(database.requireJob(job.text)) { $0.stage = stage }
      try database.append(.stage, to: job, ["stage": .string(stage.rawValue)], at: Date())
    }
  }

  /// Makes no event.
  public func progress(_ progress: Job.Progress) throws {
    try write { database in
      _ = try database.update(database.requireJob(job.text)) { $0.progress = progress }
    }
  }

  /// Stores what became of a layer.
  public func layer(_ layer: LayerRecord) throws {
    try write { database in
      try database.put(layer, of: job)
      try database.append(.layer, to: job, try APICoding.json(encoding: layer), at: Date())
      try database.countLayer(layer)
    }
  }

  /// Marks a layer as the one that ended the job; nothing happens if the job has no such layer.
  public func failed(_ name: String) throws {
    try write { database in
      let layers = try database.values(
        LayerRecord.self, sql: "SELECT body FROM layers WHERE job = ? AND name = ?", arguments: [job.text, name])
      guard var layer = layers.first else { return }
      layer.state = .failed
      layer.attempts =
        try Int.fetchOne(
          database, sql: "SELECT count(*) FROM attempts WHERE job = ? AND layer = ? AND json_extract(body, '$.job_attempt') = ?",
          arguments: [job.text, name, attempt]) ?? 0
      try database.put(layer, of: job)
      try database.append(.layer, to: job, try APICoding.json(encoding: layer), at: Date())
    }
  }

  /// Adds a try at a layer to its history.
  public func attempt(_ attempt: AttemptRecord) throws {
    try write { database in
      try database.execute(
        sql: "INSERT INTO attempts (job, layer, cause, damping, precision, outcome, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          job.text, attempt.layer, attempt.cause?.rawValue, attempt.damping, attempt.precision.rawValue, attempt.outcome.rawValue,
          try APICoding.text(encoding: attempt),
        ])
      try database.append(.attempt, to: job, try APICoding.json(encoding: attempt), at: attempt.at)
      try database.count(.attempts, [attempt.cause?.rawValue ?? "none", attempt.outcome.rawValue])
    }
  }

  public func warning(_ message: String) throws {
    try write { database in
      _ = try database.update(database.requireJob(job.text)) { $0.warnings.append(message) }
      try database.append(.warning, to: job, ["message": .string(message)], at: Date())
    }
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
