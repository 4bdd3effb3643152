import Foundation
import GRDB
import JobModel

/// A job's use of a model of the Hub.
public struct HubUse: Sendable, Hashable {
  public let reference: HubReference
  /// The job waits or runs.
  public let isActive: Bool
}

extension JobRepository {
  /// Of all jobs; each once.
  public func hubUses() async throws -> [HubUse] {
    try await read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT DISTINCT json_extract(body, '$.request.model') AS model, status IN ('queued', 'running', 'cancelling') AS active
          FROM jobs WHERE json_type(body, '$.request.model') = 'object'
          """
      ).map { row in
        let text: String = row["model"]
        return HubUse(reference: try APICoding.decode(HubReference.self, from: Data(text.utf8)), isActive: row["active"])
      }
    }
  }
}

extension JobJournal {
  /// Stores which commit a job's revision stands for.
  public func pin(_ reference: HubReference) throws {
    try write { database in
      _ = try database.update(database.requireJob(job.text)) { $0.request.model = .hub(reference) }
    }
  }

  /// Tells of a file of the model that has arrived.
  public func downloaded(_ file: String, bytes: Int) throws {
    try write { database in
      try database.append(.download, to: job, ["file": .string(file), "bytes": .integer(Int64(bytes))], at: Date())
    }
  }

  /// Stores the plan of a job whose model wasn't there when it was submitted.
  public func planned(_ estimate: Job.Estimate?, warnings: [String]) throws {
    try write { database in
      _ = try database.update(database.requireJob(job.text)) { job in
        job.estimate = estimate
        job.warnings += warnings
      }
      for warning in warnings { try database.append(.warning, to: job, ["message": .string(warning)], at: Date()) }
    }
  }
}
