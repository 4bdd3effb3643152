import Foundation
import GRDB
import JobModel

/// Jobs in SQLite. Each method is one transaction that keeps the status machine; what it returns from is durable.
public struct JobRepository: Sendable {
  let database: DatabasePool
  let observe: TransactionMeter

  /// Opens or makes the database and applies the migrations that are missing.
  ///
  /// - Throws: `JobStoreError`.
  public init(database file: URL, observe: @escaping TransactionMeter = { _, _ in }) throws {
    self.observe = observe
    var configuration = Configuration()
    configuration.label = "gptqd"
    configuration.busyMode = .timeout(10)
    guard !Self.isCutShort(file) else { throw JobStoreError.notADatabase(path: file.path) }
    do {
      // The pool's one writer also checkpoints; its readers are read-only.
      database = try DatabasePool(path: file.path, configuration: configuration)
      // A commit has reached the disk when it returns. The pool sets NORMAL when it opens, so this comes after.
      try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
      let migrator = Migrations.migrator
      let unknown = try database.read { try migrator.appliedIdentifiers($0).subtracting(migrator.migrations) }
      guard unknown.isEmpty else { throw JobStoreError.newerSchema(path: file.path, migrations: unknown.sorted()) }
      // A file that was cut or overwritten opens as long as its first page is whole.
      guard try database.read({ try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }) == "ok" else {
        throw JobStoreError.notADatabase(path: file.path)
      }
      try migrator.migrate(database)
    } catch let error as DatabaseError {
      switch error.resultCode {
      case .SQLITE_NOTADB, .SQLITE_CORRUPT: throw JobStoreError.notADatabase(path: file.path)
      case .SQLITE_FULL: throw JobStoreError.diskFull(path: file.path)
      default: throw JobStoreError.cannotOpen(path: file.path, reason: error.message ?? "\(error)")
      }
    }
  }

  /// SQLite takes what is too short for a header for an empty database, and may not miss pages at the end for long.
  ///
  /// Source: sqlite.org/fileformat.html, sections 1.3 and 1.3.7.
  private static func isCutShort(_ file: URL) -> Bool {
    guard let handle = try? FileHandle(forReadingFrom: file), let size = try? handle.seekToEnd(), size > 0 else { return false }
    guard (try? handle.seek(toOffset: 0)) != nil, let header = try? handle.read(upToCount: 100), header.count == 100 else { return true }
    func number(_ bytes: Range<Int>) -> UInt64 { header[bytes].reduce(0) { $0 << 8 | UInt64($1) } }
    // The number of pages is out of date where another program wrote last; a log of changes may have the rest.
    guard number(24..<28) == number(92..<96), !FileManager.default.fileExists(atPath: file.path + "-wal") else { return false }
    let pageSize = number(16..<18) == 1 ? 65_536 : number(16..<18)
    return number(28..<32) * pageSize > size
  }

  /// Opens a database to read it, beside a daemon that uses it or without one.
  ///
  /// - Throws: `JobStoreError`, also for one that this version hasn't migrated yet.
  public init(reading file: URL) throws {
    observe = { _, _ in }
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(10)
    do {
      database = try DatabasePool(path: file.path, configuration: configuration)
      let isCurrent = try database.read { try Migrations.migrator.hasCompletedMigrations($0) }
      guard isCurrent else {
        throw JobStoreError.cannotOpen(path: file.path, reason: "its schema isn't this version's; start gptqd serve once")
      }
    } catch let error as DatabaseError {
      throw JobStoreError.cannotOpen(path: file.path, reason: error.message ?? "\(error)")
    }
  }

  /// A durable transaction.
  ///
  /// - Throws: `JobStoreError` for what the disk doesn't do, what `body` throws.
  func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
    let start = ContinuousClock.now
    defer { observe(.write, .now - start) }
    do {
      return try await database.write(body)
    } catch let error as DatabaseError {
      throw error.ofStore(database.path)
    }
  }

  /// - Throws: `JobStoreError` for what the disk doesn't do, what `body` throws.
  func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
    let start = ContinuousClock.now
    defer { observe(.read, .now - start) }
    do {
      return try await database.read(body)
    } catch let error as DatabaseError {
      throw error.ofStore(database.path)
    }
  }

  /// The result of `submit`.
  public enum Submission: Sendable {
    case created(Job)
    /// The same request under the same key was submitted before.
    case replayed(Job)
  }

  /// Stores a new job.
  ///
  /// - Parameter limit: Jobs that may wait.
  /// - Throws: `JobStoreError.idempotencyMismatch`, `.queueFull`; `UploadError.unfinished`.
  public func submit(
    _ request: JobRequest, layers: [LayerRecord], warnings: [String], estimate: Job.Estimate? = nil, key: IdempotencyKey?,
    limit: Int = .max, now: Date
  ) async throws -> Submission {
    try await write { database in
      if let key, let stored = try database.replayed(key) { return .replayed(stored) }
      try database.requireRoom(inQueueOf: limit)
      try database.requireUploaded(request)
      let job = Job(id: JobID(at: now), request: request, createdAt: now, warnings: warnings, estimate: estimate)
      try database.insert(job)
      try database.put(request.webhook, of: job.id)
      for layer in layers { try database.put(layer, of: job.id) }
      try database.count(.jobsSubmitted)
      try database.count(.jobTransitions, [job.status.rawValue])
      try database.append(.status, to: job.id, ["status": .string(job.status.rawValue)], at: now)
      if let key {
        try database.execute(
          sql: "INSERT INTO idempotency_keys (key, fingerprint, job, created_at) VALUES (?, ?, ?, ?)",
          arguments: [key.key, key.fingerprint, job.id.text, APICoding.text(now)])
      }
      return .created(job)
    }
  }

  /// The job that a request made before; nil where the key is new.
  ///
  /// - Throws: `JobStoreError.idempotencyMismatch`.
  public func replayed(_ key: IdempotencyKey) async throws -> Job? { try await read { try $0.replayed(key) } }

  /// Ends a job that waits, or asks a running one to end; one that was cancelled stays so.
  ///
  /// - Returns: nil where there is no such job.
  /// - Throws: `JobStatus.IllegalMove` for a job that has ended otherwise.
  public func requestCancel(_ id: JobID, now: Date) async throws -> Job? {
    try await write { database in
      guard let job = try database.job(id) else { return nil }
      switch job.status {
      case .cancelling, .cancelled: return job
      case .queued: return try database.move(job, to: .cancelled, at: now) { $0.finishedAt = now }
      case .running, .succeeded, .failed: return try database.move(job, to: .cancelling, at: now)
      }
    }
  }

  /// Starts the queued job of the highest priority, the oldest of several.
  public func claimNext(now: Date) async throws -> Job? {
    try await write { database in
      guard
        let id = try String.fetchOne(
          database, sql: "SELECT id FROM jobs WHERE status = 'queued' ORDER BY priority DESC, id LIMIT 1")
      else { return nil }
      return try database.move(database.requireJob(id), to: .running, at: now) { job in
        job.attempt += 1
        job.startedAt = job.startedAt ?? now
        job.stage = .preparing
        job.progress = nil
      }
    }
  }

  /// Puts what a daemon that is gone was running back into the queue, and ends what it was cancelling. A job that has brought
  /// the daemon down too often at the same place fails.
  ///
  /// - Returns: The jobs that were put back or have failed.
  public func takeUpOrphans(now: Date) async throws -> [Job] {
    try await write { database in
      try database.jobs(sql: "SELECT body FROM jobs WHERE status IN ('running', 'cancelling') ORDER BY id").compactMap { job in
        guard job.status == .running else {
          try database.move(job, to: .cancelled, at: now) { $0.end(now) }
          return nil
        }
        return try database.interrupt(job, because: nil, at: now)
      }
    }
  }

  /// Puts a running job back into the queue as if this start had not been; one that is being cancelled ends.
  public func requeue(_ id: JobID, now: Date) async throws {
    try await write { database in
      let job = try database.requireJob(id.text)
      if job.status == .cancelling {
        try database.move(job, to: .cancelled, at: now) { $0.end(now) }
      } else {
        try database.move(job, to: .queued, at: now) { job in
          job.attempt -= 1
          job.stage = nil
        }
      }
    }
  }

  /// Ends a job that was running. Cancel wins: a job that is being cancelled becomes cancelled whatever the outcome.
  ///
  /// - Returns: The job as it is now; where it is `cancelled`, an artifact that was published is to be removed.
  @discardableResult
  public func finish(_ id: JobID, _ outcome: JobOutcome, now: Date) async throws -> Job {
    try await write { database in
      let job = try database.requireJob(id.text)
      guard job.status != .cancelling else { return try database.move(job, to: .cancelled, at: now) { $0.end(now) } }
      switch outcome {
      case .succeeded(let manifest, let report, let degraded):
        if let tokens = report.calibrationTokens { try database.count(.calibrationTokens, by: Double(tokens)) }
        return try database.move(job, to: .succeeded, at: now) { job in
          job.end(now)
          job.result = manifest
          job.report = report
          job.degraded = degraded
          job.progress = job.progress.map { .init(done: $0.total, total: $0.total, fraction: 1, etaSeconds: 0) }
        }
      case .failed(let failure):
        return try database.move(job, to: .failed, at: now) { job in
          job.end(now)
          job.error = failure
        }
      case .cancelled:
        let cancelling = try database.move(job, to: .cancelling, at: now)
        return try database.move(cancelling, to: .cancelled, at: now) { $0.end(now) }
      }
    }
  }
}

/// How a run of a job ended.
public enum JobOutcome: Codable, Sendable, Hashable {
  case succeeded(ArtifactManifest, Job.Report, degraded: Bool)
  case failed(Job.Failure)
  case cancelled
}

/// A client's `Idempotency-Key` and what it was sent with.
public struct IdempotencyKey: Sendable, Hashable {
  public let key: String
  /// Of the request body.
  public let fingerprint: String

  public init(key: String, fingerprint: String) {
    self.key = key
    self.fingerprint = fingerprint
  }
}

extension Job {
  mutating func end(_ now: Date) {
    finishedAt = now
    stage = nil
  }
}
