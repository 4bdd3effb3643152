import Foundation
import JobModel
import StrictJSON
import Testing

/// A client of `GET /v1/jobs/{id}/events` that sees every byte.
final class EventStream {
  struct Message: Equatable {
    var id: Int?
    /// Empty for a comment, and for what only sets the time to wait.
    var event = ""
    var data: JSONValue?
    var comment: String?

    var reason: String? { event == "end" ? data?["reason"]?.stringValue : nil }
  }

  /// The connection ended before the body did.
  struct CutOff: Error {}

  let connection: RawConnection
  private(set) var head: RawAnswer?
  /// Of the body, not read yet.
  private var body = Data()
  private var raw = Data()
  private var hasEnded = false

  init(_ server: TestServer, _ id: JobID, query: String = "", headers: [String: String] = [:], receiveBuffer: Int32? = nil) async throws {
    connection = try RawConnection(port: server.port, receiveBuffer: receiveBuffer)
    await connection.send(Self.request(id, query: query, headers: headers))
  }

  deinit { connection.close() }

  static func request(_ id: JobID, query: String = "", headers: [String: String] = [:]) -> String {
    let fields = ["Accept": "text/event-stream"].merging(headers) { $1 }.map { "\($0): \($1)\r\n" }.joined()
    return "GET /v1/jobs/\(id)/events\(query) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n"
  }

  /// nil at the end of the body, which has to be as HTTP wants it.
  func next() async throws -> Message? {
    while true {
      if let end = body.firstRange(of: Data("\n\n".utf8)) {
        let text = String(decoding: body[..<end.lowerBound], as: UTF8.self)
        body.removeSubrange(..<end.upperBound)
        return try Self.message(text)
      }
      guard !hasEnded else { return nil }
      let part = try await connection.receive()
      guard !part.isEmpty else { throw CutOff() }
      raw += part
      try decode()
    }
  }

  /// All messages up to and with the first that matches; none may be missing before the end.
  func messages(through matches: (Message) -> Bool) async throws -> [Message] {
    var messages: [Message] = []
    while true {
      let message = try #require(try await next(), "the stream ended early, after \(messages)")
      messages.append(message)
      if matches(message) { return messages }
    }
  }

  func rest() async throws -> [Message] {
    var messages: [Message] = []
    while let message = try await next() { messages.append(message) }
    return messages
  }

  /// What was sent, without its chunks.
  private func decode() throws {
    if head == nil {
      guard let end = raw.firstRange(of: Data("\r\n\r\n".utf8)) else { return }
      head = RawAnswer(raw[..<end.upperBound])
      raw.removeSubrange(..<end.upperBound)
    }
    while let line = raw.firstRange(of: Data("\r\n".utf8)) {
      let size = try #require(Int(String(decoding: raw[..<line.lowerBound], as: UTF8.self), radix: 16))
      guard raw.distance(from: line.upperBound, to: raw.endIndex) >= size + 2 else { return }
      let start = line.upperBound
      body += raw[start..<(start + size)]
      raw.removeSubrange(..<(start + size + 2))
      if size == 0 { hasEnded = true }
    }
  }

  private static func message(_ text: String) throws -> Message {
    var message = Message()
    for line in text.split(separator: "\n") {
      if line.hasPrefix(":") {
        message.comment = String(line.dropFirst())
        continue
      }
      let colon = try #require(line.firstRange(of: ": "), "\(line)")
      let (name, value) = (line[..<colon.lowerBound], String(line[colon.upperBound...]))
      switch name {
      case "id":
        message.id = Int(value)
        #expect(message.id != nil)
      case "event": message.event = value
      case "data":
        #expect(message.data == nil, "one line of data a message")
        message.data = try JSONValue(parsing: Array(value.utf8))
      case "retry": #expect(Int(value) != nil)
      default: Issue.record("an unknown field: \(line)")
      }
    }
    return message
  }
}
