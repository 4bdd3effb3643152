import Foundation
import GRDB
import JobModel

/// Figures over all jobs, at one moment.
public struct JobStatistics: Sendable, Hashable {
  public var jobs: [JobStatus: Int] = [:]
  /// What jobs that run are doing.
  public var stages: [Job.Stage: Int] = [:]
  /// Memory that the running jobs were planned with, in bytes.
  public var plannedMemory = 0
  /// When the job that waits longest came into the queue; nil: none waits.
  public var oldestQueuedAt: Date?
  public var totals: [TotalRow] = []

  public init() {}
}

extension JobRepository {
  /// Reads no job that has ended, however many there are, but counts them.
  public func statistics() async throws -> JobStatistics {
    try await read { database in
      var statistics = JobStatistics()
      for row in try Row.fetchAll(database, sql: "SELECT status, count(*) AS jobs FROM jobs GROUP BY status") {
        if let status = JobStatus(rawValue: row["status"]) { statistics.jobs[status] = row["jobs"] }
      }
      let running = try Row.fetchAll(
        database,
        sql: """
          SELECT body ->> '$.stage' AS stage, coalesce(body ->> '$.estimate.memory_bytes', 0) AS memory
          FROM jobs WHERE status IN ('running', 'cancelling')
          """)
      for row in running {
        statistics.plannedMemory += row["memory"]
        if let stage = Job.Stage(rawValue: row["stage"] ?? "") { statistics.stages[stage, default: 0] += 1 }
      }
      statistics.oldestQueuedAt = try database.oldestQueuedAt()
      statistics.totals = try database.totals()
      return statistics
    }
  }
}

extension Database {
  /// By the event that tells of it: a retry puts an old job anew into the queue.
  fileprivate func oldestQueuedAt() throws -> Date? {
    let text = try String.fetchOne(
      self,
      sql: """
        SELECT min((SELECT at FROM events WHERE job = jobs.id AND kind = 'status' ORDER BY sequence DESC LIMIT 1))
        FROM jobs WHERE status = 'queued'
        """)
    return try text.map(APICoding.date)
  }
}
