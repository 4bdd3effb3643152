import Foundation
import GRDB
import JobModel

extension JobRepository {
  public func job(_ id: JobID) async throws -> Job? { try await read { try $0.job(id) } }

  /// The newest jobs first; a page may have fewer than `limit` although more follow.
  ///
  /// - Parameters:
  ///   - status: Only jobs in it; nil: all.
  ///   - after: Only jobs that come after this one in the list.
  public func jobs(status: JobStatus?, limit: Int, after: JobID?) async throws -> APIList<Job> {
    try await read { database in
      try database.page(
        Job.self,
        sql: """
          SELECT body, id FROM jobs WHERE (:status IS NULL OR status = :status) AND (:after IS NULL OR id < :after)
          ORDER BY id DESC LIMIT :limit
          """, arguments: ["status": status?.rawValue, "after": after?.text, "limit": limit + 1], limit: limit)
    }
  }

  /// In the order in which the job handles them.
  public func layers(of id: JobID) async throws -> [LayerRecord] {
    try await read { database in
      try database.values(LayerRecord.self, sql: "SELECT body FROM layers WHERE job = ? ORDER BY position", arguments: [id.text])
    }
  }

  /// The same in parts, which may have fewer than `limit` although more follow.
  ///
  /// - Parameter after: Only layers that come after the one of this name.
  public func layers(of id: JobID, after name: String?, limit: Int) async throws -> APIList<LayerRecord> {
    try await read { database in
      try database.page(
        LayerRecord.self,
        sql: """
          SELECT body, name FROM layers WHERE job = :job
          AND (:name IS NULL OR (position, name) > (SELECT position, name FROM layers WHERE job = :job AND name = :name))
          ORDER BY position, name LIMIT :limit
          """, arguments: ["job": id.text, "name": name, "limit": limit + 1], limit: limit)
    }
  }

  public func layer(_ name: String, of id: JobID) async throws -> LayerRecord? {
    try await read { database in
      try database.values(LayerRecord.self, sql: "SELECT body FROM layers WHERE job = ? AND name = ?", arguments: [id.text, name]).first
    }
  }

  /// In the order in which they were made.
  ///
  /// - Parameter layer: Only this layer's; nil: all.
  public func attempts(of id: JobID, layer: String?) async throws -> [AttemptRecord] {
    try await read { database in
      try database.values(
        AttemptRecord.self, sql: "SELECT body FROM attempts WHERE job = :job AND (:layer IS NULL OR layer = :layer) ORDER BY sequence",
        arguments: ["job": id.text, "layer": layer])
    }
  }

  /// The same in parts, which may have fewer than `limit` although more follow.
  ///
  /// - Parameter after: Only attempts that come after the one of this id; 0: all.
  public func attempts(of id: JobID, layer: String?, after sequence: Int, limit: Int) async throws -> APIList<AttemptRecord> {
    try await read { database in
      try database.page(
        AttemptRecord.self,
        sql: """
          SELECT body, CAST(sequence AS TEXT) FROM attempts
          WHERE job = :job AND (:layer IS NULL OR layer = :layer) AND sequence > :after ORDER BY sequence LIMIT :limit
          """, arguments: ["job": id.text, "layer": layer, "after": sequence, "limit": limit + 1], limit: limit)
    }
  }

  /// What happened after an event, oldest first.
  public func events(of id: JobID, after sequence: Int, limit: Int) async throws -> [JobEvent] {
    try await read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        arguments: [id.text, sequence, limit]
      ).map(JobEvent.init)
    }
  }

  /// How many jobs there are in each status.
  public func counts() async throws -> [JobStatus: Int] {
    try await read { database in
      let rows = try Row.fetchAll(database, sql: "SELECT status, count(*) AS jobs FROM jobs GROUP BY status")
      return Dictionary(uniqueKeysWithValues: rows.compactMap { row in JobStatus(rawValue: row["status"]).map { ($0, row["jobs"]) } })
    }
  }

  /// Waits until the job's version differs from `version`, at most for `timeout`.
  ///
  /// - Returns: The job as it is then; nil where there is none.
  public func waitForChange(of id: JobID, from version: Int, timeout: Duration) async throws -> Job? {
    let changes = ValueObservation.tracking { try $0.job(id) }.values(in: database)
    return try await withThrowingTaskGroup(of: Job?.self) { group in
      group.addTask {
        for try await job in changes where job?.version != version { return job }
        return nil
      }
      group.addTask {
        try await Task.sleep(for: timeout)
        return try await self.job(id)
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }
}
