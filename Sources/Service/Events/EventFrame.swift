import Foundation
import JobModel
import NIOCore

/// Messages of an event stream as bytes; each has one line of data, since JSON has no line ends.
///
/// Source: html.spec.whatwg.org, section 9.2.
enum EventFrame {
  /// How long a client waits before it connects again, and the first bytes of every stream.
  static let start = ByteBuffer(string: "retry: 2000\n\n")
  static let heartbeat = ByteBuffer(string: ": heartbeat\n\n")

  /// An event that stays: its number is what a client resumes from.
  static func durable(_ event: JobEvent) throws -> ByteBuffer { try frame(event.kind.rawValue, event, id: event.sequence) }

  static func job(_ job: Job) throws -> ByteBuffer { try frame("job", job) }

  static func progress(_ job: Job) throws -> ByteBuffer { try frame("progress", ProgressNotice(job)) }

  static func end(_ end: StreamEnd) -> ByteBuffer {
    var members = "\"reason\":\"\(end.reason)\""
    if case .ended(let status) = end { members += ",\"status\":\"\(status.rawValue)\"" }
    return ByteBuffer(string: "event: end\ndata: {\(members)}\n\n")
  }

  private static func frame(_ name: String, _ data: some Encodable, id: Int? = nil) throws -> ByteBuffer {
    var buffer = ByteBuffer(string: (id.map { "id: \($0)\n" } ?? "") + "event: \(name)\ndata: ")
    buffer.writeBytes(try APICoding.encode(data))
    buffer.writeStaticString("\n\n")
    return buffer
  }
}

/// Why a stream has no more messages.
enum StreamEnd: Sendable, Hashable {
  /// All that happened was sent.
  case ended(JobStatus)
  /// The daemon stops: there will be more after its next start.
  case draining
  /// The job is gone.
  case deleted

  fileprivate var reason: String {
    switch self {
    case .ended: "ended"
    case .draining: "draining"
    case .deleted: "deleted"
    }
  }
}

/// How far a job is.
private struct ProgressNotice: Encodable {
  let version: Int
  let status: JobStatus
  let stage: Job.Stage?
  let progress: Job.Progress?

  init(_ job: Job) { (version, status, stage, progress) = (job.version, job.status, job.stage, job.progress) }
}
