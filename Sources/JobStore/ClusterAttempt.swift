import Foundation
import GRDB
import JobModel

/// An attempt at a job that was given to a cluster's scheduler, or is about to be.
public struct ClusterAttempt: Sendable, Hashable {
  public enum State: String, Sendable {
    /// The scheduler was perhaps asked, and may have taken it.
    case prepared
    /// The scheduler took it.
    case submitted
    /// Whatever it still does counts for nothing.
    case fenced
  }

  public let job: JobID
  public let attempt: Int
  /// Of the scheduler's job: unique.
  public let name: String
  public var state: State
  /// The scheduler's number of it.
  public var schedulerID: Int?
  public var submittedAt: Date?
  /// Bytes of its journal that are in the database.
  public var consumed: Int

  init(_ row: Row) throws {
    let (job, state): (String, String) = (row["job"], row["state"])
    guard let id = JobID(job), let state = State(rawValue: state) else { throw JobStoreError.unknownJob(job) }
    let submittedAt: String? = row["submitted_at"]
    self.job = id
    attempt = row["attempt"]
    name = row["name"]
    self.state = state
    schedulerID = row["scheduler_id"]
    self.submittedAt = try submittedAt.map(APICoding.date)
    consumed = row["consumed"]
  }
}

/// An entry of a journal, and when it was made.
public struct TimedEntry: Codable, Sendable, Hashable {
  public let at: Date
  public let entry: JournalEntry

  public init(at: Date, _ entry: JournalEntry) { (self.at, self.entry) = (at, entry) }
}
