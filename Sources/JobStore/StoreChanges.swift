import GRDB
import JobModel
import Synchronization

/// Tells that jobs or their events changed, once for all who want to know.
///
/// Source: GRDB's `TransactionObserver`; it is called on the writer's connection, which sees every change that this process makes.
public final class StoreChanges: Sendable {
  /// What was committed since it was asked for last.
  package struct Batch: Sendable {
    /// Of rows of `jobs`.
    fileprivate(set) var rows: Set<Int64> = []
    fileprivate(set) var hasEvents = false
    fileprivate(set) var hasDeletions = false

    var isEmpty: Bool { rows.isEmpty && !hasEvents && !hasDeletions }
  }

  /// Has a value when something was committed; several commits may make one.
  package let wakes: AsyncStream<Void>
  private let waker: AsyncStream<Void>.Continuation
  private let committed = Mutex(Batch())

  init() { (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  package func take() -> Batch {
    committed.withLock { batch in
      defer { batch = Batch() }
      return batch
    }
  }

  /// What was taken couldn't be used; it is told of again.
  package func putBack(_ batch: Batch) { add(batch) }

  fileprivate func add(_ batch: Batch) {
    committed.withLock {
      $0.rows.formUnion(batch.rows)
      $0.hasEvents = $0.hasEvents || batch.hasEvents
      $0.hasDeletions = $0.hasDeletions || batch.hasDeletions
    }
    waker.yield()
  }
}

/// Only the writer's connection calls it.
private final class Observer: TransactionObserver {
  private let changes: StoreChanges
  private var batch = StoreChanges.Batch()

  init(_ changes: StoreChanges) { self.changes = changes }

  func observes(eventsOfKind kind: DatabaseEventKind) -> Bool { kind.tableName == "jobs" || kind.tableName == "events" }

  func databaseDidChange(with event: DatabaseEvent) {
    switch (event.tableName, event.kind) {
    case ("jobs", .delete): batch.hasDeletions = true
    case ("jobs", _): batch.rows.insert(event.rowID)
    case (_, .insert): batch.hasEvents = true
    default: break
    }
  }

  func databaseDidCommit(_ database: Database) {
    if !batch.isEmpty { changes.add(batch) }
    batch = .init()
  }

  func databaseDidRollback(_ database: Database) { batch = .init() }
}

extension JobRepository {
  /// From now on, as long as the repository is.
  package func changes() -> StoreChanges {
    let changes = StoreChanges()
    database.add(transactionObserver: Observer(changes), extent: .databaseLifetime)
    return changes
  }

  /// A job and the end of its history, as they are at one moment.
  package struct Snapshot: Sendable {
    package let job: Job
    /// The last ones, oldest first.
    package let events: [JobEvent]
    /// Whether there are events before `events`.
    package let hasEarlier: Bool
    /// The last event of all jobs.
    package let position: Int
  }

  /// - Parameter limit: Most events.
  /// - Returns: nil where there is no such job.
  package func snapshot(of id: JobID, limit: Int) async throws -> Snapshot? {
    try await read { database in
      guard let job = try database.job(id) else { return nil }
      let events = try Row.fetchAll(
        database, sql: "SELECT * FROM events WHERE job = ? ORDER BY sequence DESC LIMIT ?", arguments: [id.text, limit + 1]
      ).map(JobEvent.init)
      return Snapshot(
        job: job, events: events.prefix(limit).reversed(), hasEarlier: events.count > limit, position: try database.lastEvent())
    }
  }

  /// What changed of some jobs, as it is at one moment.
  package struct Update: Sendable {
    /// Those whose row changed.
    package let jobs: [Job]
    /// Oldest first.
    package let events: [JobEvent]
    package let deleted: [JobID]
    /// The last event of all jobs.
    package let position: Int
  }

  /// - Parameters:
  ///   - ids: The jobs of interest.
  ///   - position: Of the update or snapshot before.
  package func update(_ batch: StoreChanges.Batch, of ids: Set<JobID>, after position: Int) async throws -> Update {
    try await read { database in
      var jobs: [Job] = []
      for row in batch.rows {
        let id = try String.fetchOne(database, sql: "SELECT id FROM jobs WHERE rowid = ?", arguments: [row]).flatMap { JobID($0) }
        if let id, ids.contains(id), let job = try database.job(id) { jobs.append(job) }
      }
      let events = try Row.fetchCursor(database, sql: "SELECT * FROM events WHERE sequence > ? ORDER BY sequence", arguments: [position])
      var news: [JobEvent] = []
      while let row = try events.next() {
        if let id = JobID(row["job"]), ids.contains(id) { news.append(try JobEvent(row)) }
      }
      let deleted = try batch.hasDeletions ? ids.filter { try database.job($0) == nil } : []
      return Update(jobs: jobs, events: news, deleted: Array(deleted), position: try database.lastEvent())
    }
  }
}

extension Database {
  fileprivate func lastEvent() throws -> Int { try Int.fetchOne(self, sql: "SELECT max(sequence) FROM events") ?? 0 }
}
