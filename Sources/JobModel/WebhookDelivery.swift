import Foundation

/// A job's webhook, and what became of the messages to it.
public struct WebhookRecord: Codable, Sendable, Hashable {
  public var url: WebhookURL
  /// The newest first.
  public var deliveries: [WebhookDelivery]

  public init(url: WebhookURL, deliveries: [WebhookDelivery]) { (self.url, self.deliveries) = (url, deliveries) }
}

/// A message that is delivered at least once.
public struct WebhookDelivery: Codable, Sendable, Hashable, Identifiable {
  public enum State: String, Codable, Sendable, CaseIterable {
    /// There will be another try.
    case pending
    /// The receiver answered with a status of success.
    case delivered
    /// There won't be another try.
    case failed
  }

  /// One try.
  public struct Attempt: Codable, Sendable, Hashable {
    public var at: Date
    public var seconds: Double
    /// What the receiver answered; nil where it didn't.
    public var status: Int?
    /// Why the try failed.
    public var error: String?

    public init(at: Date, seconds: Double, status: Int? = nil, error: String? = nil) {
      (self.at, self.seconds, self.status, self.error) = (at, seconds, status, error)
    }
  }

  /// The same in each try, as `webhook-id`: receivers tell repetitions by it.
  public let id: String
  /// Such as `job.succeeded`.
  public var event: String
  public var state: State
  public var createdAt: Date
  /// When the next try is due.
  public var nextAttemptAt: Date?
  public var attempts: [Attempt]

  public init(id: String, event: String, state: State, createdAt: Date, nextAttemptAt: Date?, attempts: [Attempt]) {
    (self.id, self.event, self.state, self.createdAt) = (id, event, state, createdAt)
    (self.nextAttemptAt, self.attempts) = (nextAttemptAt, attempts)
  }
}
