import Foundation

/// Status and header of an answer, from lines as they come.
struct AnswerHead: Sendable, Hashable {
  private(set) var status = 0
  private(set) var isComplete = false
  /// Names in lower case.
  private var fields: [String: String] = [:]
  private var bytes = 0

  /// Bytes of all lines, interim answers included.
  private static let sizeLimit = 64 << 10

  subscript(name: String) -> String? { fields[name] }

  /// - Throws: `OutgoingError.malformed`.
  mutating func append(_ line: some Collection<UInt8>) throws(OutgoingError) {
    bytes += line.count
    guard bytes <= Self.sizeLimit else { throw .malformed("its header has more than \(Self.sizeLimit) bytes") }
    // Fields after the body.
    guard !isComplete else { return }
    let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    if text.hasPrefix("HTTP/") {
      let words = text.split(separator: " ")
      guard words.count > 1, let status = Int(words[1]), (100...599).contains(status) else { throw .malformed("it has no status") }
      (self.status, fields) = (status, [:])
    } else if text.isEmpty {
      isComplete = status >= 200
    } else if let colon = text.firstIndex(of: ":") {
      let name = text[..<colon].lowercased()
      let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      if let other = fields.updateValue(value, forKey: name), other != value, Self.singles.contains(name) {
        throw .malformed("it has two different fields \(name)")
      }
    }
  }

  private static let singles: Set = ["content-length", "content-range", "location", "content-encoding", "retry-after"]

  /// nil where it isn't announced.
  func contentLength() throws(OutgoingError) -> Int? {
    guard let text = self["content-length"] else { return nil }
    guard let length = Int(text), length >= 0 else { throw .malformed("its Content-Length is no size") }
    return length
  }

  /// How long the server wants to be left alone.
  func retryAfter(now: Date = Date()) -> Duration? {
    guard let text = self["retry-after"] else { return nil }
    if let seconds = Int(text) { return .seconds(max(0, min(seconds, 86_400))) }
    guard let date = HTTPDate.date(text) else { return nil }
    return .seconds(max(0, min(date.timeIntervalSince(now), 86_400)))
  }
}
