import Foundation
import GRDB
import JobModel
import StrictJSON

/// Rows and records, inside a transaction.
extension Database {
  func job(_ id: JobID) throws -> Job? { try jobs(sql: "SELECT body FROM jobs WHERE id = ?", arguments: [id.text]).first }

  /// - Throws: `JobStoreError.unknownJob`.
  func requireJob(_ id: String) throws -> Job {
    guard let job = try jobs(sql: "SELECT body FROM jobs WHERE id = ?", arguments: [id]).first else { throw JobStoreError.unknownJob(id) }
    return job
  }

  /// The job that was stored under an idempotency key.
  ///
  /// - Throws: `JobStoreError.idempotencyMismatch`.
  func replayed(_ key: IdempotencyKey) throws -> Job? {
    let row = try Row.fetchOne(self, sql: "SELECT fingerprint, job FROM idempotency_keys WHERE key = ?", arguments: [key.key])
    guard let row else { return nil }
    guard row["fingerprint"] == key.fingerprint else { throw JobStoreError.idempotencyMismatch(key: key.key) }
    return try requireJob(row["job"])
  }

  /// - Throws: `JobStoreError.queueFull`.
  func requireRoom(inQueueOf limit: Int) throws {
    guard limit < .max else { return }
    let waiting = try Int.fetchOne(self, sql: "SELECT count(*) FROM jobs WHERE status = 'queued'") ?? 0
    guard waiting < limit else { throw JobStoreError.queueFull(limit: limit) }
  }

  func jobs(sql: String, arguments: StatementArguments = StatementArguments()) throws -> [Job] {
    try values(Job.self, sql: sql, arguments: arguments)
  }

  /// Decodes a column of JSON.
  func values<Value: Decodable>(_ type: Value.Type, sql: String, arguments: StatementArguments = StatementArguments()) throws -> [Value] {
    try String.fetchAll(self, sql: sql, arguments: arguments).map { try APICoding.decode(type, from: Data($0.utf8)) }
  }

  /// Decodes a part of a list, which ends after `limit` values, or once it has `bytes`: decoded, they take some ten times as many.
  ///
  /// - Parameter sql: Selects one more value than `limit`, with the id by which the next part begins.
  func page<Value: Decodable>(
    _ type: Value.Type, sql: String, arguments: StatementArguments, limit: Int, bytes: Int = 4 << 20
  ) throws -> APIList<Value> {
    let rows = try Row.fetchCursor(self, sql: sql, arguments: arguments)
    var values: [Value] = []
    var lastId: String?
    var size = 0
    while let row = try rows.next() {
      guard values.count < limit, size < bytes else { return APIList(data: values, hasMore: true, lastId: lastId) }
      let text: String = row[0]
      values.append(try APICoding.decode(type, from: Data(text.utf8)))
      size += text.utf8.count
      lastId = row[1]
    }
    return APIList(data: values, lastId: lastId)
  }

  func insert(_ job: Job) throws {
    try execute(
      sql: "INSERT INTO jobs (id, status, priority, version, body) VALUES (?, ?, ?, ?, ?)",
      arguments: [job.id.text, job.status.rawValue, job.request.priority, job.version, try APICoding.text(encoding: job)])
  }

  /// Changes a job's status, with what else changes at that moment, and tells of it in an event.
  ///
  /// - Throws: `JobStatus.IllegalMove`.
  @discardableResult
  func move(_ job: Job, to status: JobStatus, at now: Date, _ change: (inout Job) -> Void = { _ in }) throws -> Job {
    let status = try job.status.moved(to: status)
    let moved = try update(job) { job in
      job.status = status
      change(&job)
    }
    try append(.status, to: job.id, ["status": .string(status.rawValue)], at: now)
    try count(.jobTransitions, [status.rawValue])
    try announceEnd(of: moved, at: now)
    return moved
  }

  /// Writes a changed job, if it is still as it was read.
  @discardableResult
  func update(_ job: Job, _ change: (inout Job) -> Void) throws -> Job {
    var changed = job
    change(&changed)
    changed.version += 1
    try execute(
      sql: "UPDATE jobs SET status = ?, version = ?, body = ? WHERE id = ? AND status = ? AND version = ?",
      arguments: [
        changed.status.rawValue, changed.version, try APICoding.text(encoding: changed), job.id.text, job.status.rawValue, job.version,
      ])
    guard changesCount == 1 else { throw JobStatus.IllegalMove(from: job.status, to: changed.status) }
    return changed
  }

  func put(_ layer: LayerRecord, of job: JobID) throws {
    try execute(
      sql: """
        INSERT INTO layers (job, name, position, body) VALUES (?, ?, ?, ?)
        ON CONFLICT (job, name) DO UPDATE SET position = excluded.position, body = excluded.body
        """, arguments: [job.text, layer.name, layer.position, try APICoding.text(encoding: layer)])
  }

  /// Where a job was when its daemon ended.
  func interruption(of job: Job, at now: Date) throws -> Job.Interruption {
    let layers = try values(LayerRecord.self, sql: "SELECT body FROM layers WHERE job = ? ORDER BY position", arguments: [job.id.text])
    return Job.Interruption(
      foundAt: now, stage: job.stage, layersDone: layers.count { $0.state == .done }, layer: layers.first { $0.state != .done }?.name)
  }

  func append(_ kind: JobEvent.Kind, to job: JobID, _ data: JSONValue, at now: Date) throws {
    try execute(
      sql: "INSERT INTO events (job, kind, at, data) VALUES (?, ?, ?, ?)",
      arguments: [job.text, kind.rawValue, APICoding.text(now), data.serialized()])
  }
}

extension DatabaseError {
  /// What the disk doesn't do, as an error of the store; other errors as they are.
  func ofStore(_ path: String) -> any Error {
    switch resultCode {
    case .SQLITE_FULL: JobStoreError.diskFull(path: path)
    case .SQLITE_IOERR where extendedResultCode == .SQLITE_IOERR_WRITE || extendedResultCode == .SQLITE_IOERR_FSYNC:
      JobStoreError.unwritable(path: path, reason: message ?? "\(self)")
    case .SQLITE_NOTADB, .SQLITE_CORRUPT: JobStoreError.notADatabase(path: path)
    case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_BUSY, .SQLITE_LOCKED:
      JobStoreError.unusable(path: path, reason: message ?? "\(self)")
    default: self
    }
  }
}

extension JobEvent {
  init(_ row: Row) throws {
    let job: String = row["job"]
    let kind: String = row["kind"]
    guard let id = JobID(job), let kind = Kind(rawValue: kind) else { throw JobStoreError.unknownJob(job) }
    let data: String = row["data"]
    self.init(sequence: row["sequence"], job: id, kind: kind, at: try APICoding.date(row["at"]), data: try JSONValue(parsing: data))
  }
}

extension APICoding {
  static func json(encoding value: some Encodable) throws -> JSONValue { try JSONValue(parsing: Array(encode(value))) }

  static func text(encoding value: some Encodable) throws -> String { String(decoding: try encode(value), as: UTF8.self) }
}
