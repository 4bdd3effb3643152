import Foundation
import GRDB
import JobModel

/// A job that ended, as far as retention needs it.
public struct EndedJob: Sendable, Hashable {
  public let id: JobID
  public let status: JobStatus
  public let finishedAt: Date
}

extension JobRepository {
  /// The result of `delete`.
  public enum Deletion: Sendable, Hashable {
    case deleted, unknown
    /// Jobs that wait or run stay.
    case notEnded(JobStatus)
  }

  /// Forgets an ended job with its layers, attempts and events; what was learned of its layers' damping stays. Its files are the
  /// caller's to remove before `completeDeletion(of:)`.
  public func delete(_ id: JobID) async throws -> Deletion {
    try await write { database in
      guard let job = try database.job(id) else { return .unknown }
      guard job.status.isEnded else { return .notEnded(job.status) }
      try database.execute(sql: "DELETE FROM jobs WHERE id = ?", arguments: [id.text])
      try database.execute(sql: "INSERT INTO deletions (job) VALUES (?)", arguments: [id.text])
      return .deleted
    }
  }

  /// Jobs that were deleted and whose files may still be there.
  public func incompleteDeletions() async throws -> [JobID] {
    try await read { try String.fetchAll($0, sql: "SELECT job FROM deletions").compactMap { JobID($0) } }
  }

  /// The files of a deleted job are gone.
  public func completeDeletion(of id: JobID) async throws {
    try await write { try $0.execute(sql: "DELETE FROM deletions WHERE job = ?", arguments: [id.text]) }
  }

  /// All jobs that ended, the first to end first.
  public func ended() async throws -> [EndedJob] {
    try await read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT id, status, json_extract(body, '$.finished_at') AS finished FROM jobs
          WHERE status IN ('succeeded', 'failed', 'cancelled') ORDER BY finished, id
          """
      ).compactMap { row in
        guard let id = JobID(row["id"]), let status = JobStatus(rawValue: row["status"]) else { return nil }
        return EndedJob(id: id, status: status, finishedAt: try APICoding.date(row["finished"]))
      }
    }
  }

  /// Of all jobs, by id.
  public func statuses() async throws -> [String: JobStatus] {
    try await read { database in
      let rows = try Row.fetchAll(database, sql: "SELECT id, status FROM jobs")
      return Dictionary(uniqueKeysWithValues: rows.compactMap { row in JobStatus(rawValue: row["status"]).map { (row["id"], $0) } })
    }
  }

  /// Stores which files of a job's artifact no longer have the bytes that were published, and which have them again.
  ///
  /// - Returns: All that are damaged now; nil where nothing is new, or the job is gone.
  public func noteDamage(to damaged: Set<String>, repairOf whole: Set<String>, of id: JobID, now: Date) async throws -> [String]? {
    try await write { database in
      guard let job = try database.job(id) else { return nil }
      let files = Set(job.damagedFiles).union(damaged).subtracting(whole).sorted()
      guard files != job.damagedFiles else { return nil }
      try database.update(job) { $0.damagedFiles = files }
      try database.append(.damage, to: id, ["files": .array(files.map { .string($0) })], at: now)
      return files
    }
  }
}
