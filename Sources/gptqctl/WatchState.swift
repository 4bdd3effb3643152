import Foundation
import JobModel
import StrictJSON

/// What was heard of a job over all connections so far.
package struct WatchState {
  package enum End: Sendable, Hashable {
    case ended
    /// The daemon stops, and will be back.
    case draining
    case deleted
  }

  private let display: WatchDisplay
  /// The last durable event; the next stream begins after it.
  package private(set) var lastEvent = 0
  package private(set) var job: Job?
  private var document: JSONValue?

  package init(display: WatchDisplay) { self.display = display }

  /// - Returns: Why there is nothing more to come; nil where there is.
  /// - Throws: What can't be decoded.
  package mutating func take(_ message: EventStreamParser.Message) throws -> End? {
    switch message.event {
    case "job":
      document = try JSONValue(parsing: Array(message.data))
      try show(message.data)
    case "progress": try update(JSONValue(parsing: Array(message.data)))
    case "end": return try end(JSONValue(parsing: Array(message.data)))
    default:
      // What a newer server tells besides is of no use here.
      guard let id = message.id.flatMap({ Int($0) }), id > lastEvent else { break }
      if let event = try? APICoding.decode(JobEvent.self, from: message.data) { display.event(event) }
      lastEvent = id
    }
    return nil
  }

  private mutating func show(_ data: Data) throws {
    let job = try APICoding.decode(Job.self, from: data)
    self.job = job
    display.job(job, data)
  }

  /// Puts a notice of progress into the job that it is about.
  private mutating func update(_ notice: JSONValue) throws {
    guard case .object(var members) = document else { return }
    for name in ["version", "status", "stage", "progress"] { members[name] = notice[name] }
    document = .object(members)
    try show(Data(JSONValue.object(members).serialized().utf8))
  }

  private func end(_ data: JSONValue) -> End {
    switch data["reason"]?.stringValue {
    case "draining": .draining
    case "deleted": .deleted
    default: .ended
    }
  }

  /// Takes a page of events, as they come without a stream.
  mutating func take(_ events: [JobEvent]) {
    for event in events where event.sequence > lastEvent {
      display.event(event)
      lastEvent = event.sequence
    }
  }

  mutating func take(_ job: Job, _ document: Data) {
    self.job = job
    display.job(job, document)
  }
}
