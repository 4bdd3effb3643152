import Foundation
import GRDB
import JobModel

/// Messages to webhooks that aren't delivered yet.
public struct WebhookOutbox: Sendable {
  private let repository: JobRepository

  public init(_ repository: JobRepository) { self.repository = repository }

  /// A message and what is needed to send it.
  public struct Item: Sendable, Hashable {
    public let id: String
    public let job: JobID
    public let url: WebhookURL
    public let secret: WebhookSecret
    public let body: String
    /// How often it was tried before.
    public let tries: Int
  }

  /// What is to be sent now, the longest due first.
  ///
  /// - Parameters:
  ///   - busy: Hosts and ports that get nothing now.
  ///   - ids: Messages that are being sent.
  public func due(at now: Date, without busy: Set<String>, _ ids: Set<String>, limit: Int) async throws -> [Item] {
    try await repository.read { database in
      let rows = try Row.fetchAll(
        database,
        sql: """
          SELECT deliveries.id, deliveries.job, deliveries.body, deliveries.tries, webhooks.url, webhooks.secret
          FROM deliveries JOIN webhooks ON webhooks.job = deliveries.job
          WHERE state = 'pending' AND due <= ?
          AND authority NOT IN (SELECT value FROM json_each(?)) AND deliveries.id NOT IN (SELECT value FROM json_each(?))
          ORDER BY due, deliveries.id LIMIT ?
          """,
        arguments: [APICoding.text(now), try APICoding.text(encoding: Array(busy)), try APICoding.text(encoding: Array(ids)), limit])
      return try rows.map { row in
        guard let job = JobID(row["job"]) else { throw JobStoreError.unknownJob(row["job"]) }
        return Item(
          id: row["id"], job: job, url: try WebhookURL(row["url"]), secret: WebhookSecret(key: row["secret"]), body: row["body"],
          tries: row["tries"])
      }
    }
  }

  /// When the first try is due of those that aren't yet; nil where nothing waits.
  public func nextDue(after now: Date) async throws -> Date? {
    try await repository.read { database in
      let text = try String.fetchOne(
        database, sql: "SELECT min(due) FROM deliveries WHERE state = 'pending' AND due > ?", arguments: [APICoding.text(now)])
      return try text.map(APICoding.date)
    }
  }

  /// What follows a try.
  public enum Verdict: Sendable, Hashable {
    case delivered
    case failed
    case again(at: Date)
  }

  /// Stores a try. Nothing happens where the job was deleted meanwhile.
  public func record(_ attempt: WebhookDelivery.Attempt, of id: String, _ verdict: Verdict) async throws {
    try await repository.write { database in
      var (state, due) = (WebhookDelivery.State.delivered, attempt.at)
      switch verdict {
      case .delivered: break
      case .failed: state = .failed
      case .again(let date): (state, due) = (.pending, date)
      }
      try database.execute(
        sql: "UPDATE deliveries SET state = ?, due = ?, tries = tries + 1 WHERE id = ? AND state = 'pending'",
        arguments: [state.rawValue, APICoding.text(due), id])
      guard database.changesCount == 1 else { return }
      try database.execute(
        sql: "INSERT INTO delivery_attempts (delivery, number, body) SELECT id, tries, ? FROM deliveries WHERE id = ?",
        arguments: [try APICoding.text(encoding: attempt), id])
    }
  }

  /// A job's webhook and the last deliveries to it; nil where it has none.
  public func webhook(of job: JobID, limit: Int) async throws -> WebhookRecord? {
    try await repository.read { database in
      let url = try String.fetchOne(database, sql: "SELECT url FROM webhooks WHERE job = ?", arguments: [job.text])
      guard let url else { return nil }
      let rows = try Row.fetchAll(
        database, sql: "SELECT id, event, state, due, created_at FROM deliveries WHERE job = ? ORDER BY id DESC LIMIT ?",
        arguments: [job.text, limit])
      return WebhookRecord(url: try WebhookURL(url), deliveries: try rows.map { try database.delivery($0) })
    }
  }

  /// Has a value when there is a message to send, also right away where an earlier daemon left some.
  package func wakes() -> AsyncStream<Void> {
    let (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    repository.database.add(transactionObserver: InsertionObserver(waker), extent: .databaseLifetime)
    waker.yield()
    return wakes
  }
}

extension Database {
  fileprivate func delivery(_ row: Row) throws -> WebhookDelivery {
    let id: String = row["id"]
    guard let state = WebhookDelivery.State(rawValue: row["state"]) else { throw JobStoreError.unknownJob(id) }
    let attempts = try values(
      WebhookDelivery.Attempt.self, sql: "SELECT body FROM delivery_attempts WHERE delivery = ? ORDER BY number", arguments: [id])
    return WebhookDelivery(
      id: id, event: row["event"], state: state, createdAt: try APICoding.date(row["created_at"]),
      nextAttemptAt: state == .pending ? try APICoding.date(row["due"]) : nil, attempts: attempts)
  }
}

/// Only the writer's connection calls it.
private final class InsertionObserver: TransactionObserver {
  private let waker: AsyncStream<Void>.Continuation
  private var hasInsertions = false

  init(_ waker: AsyncStream<Void>.Continuation) { self.waker = waker }

  func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
    if case .insert("deliveries") = kind { true } else { false }
  }

  func databaseDidChange(with event: DatabaseEvent) { hasInsertions = true }

  func databaseDidCommit(_ database: Database) {
    if hasInsertions { waker.yield() }
    hasInsertions = false
  }

  func databaseDidRollback(_ database: Database) { hasInsertions = false }
}
