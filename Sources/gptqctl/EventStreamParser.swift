import Foundation

/// Messages of `text/event-stream` from bytes as they come.
///
/// Source: html.spec.whatwg.org, section 9.2.6.
package struct EventStreamParser {
  package struct Message: Sendable, Hashable {
    package var event: String
    package var data: Data
    /// Of this message; nil where it has none.
    package var id: String?

    package init(event: String, data: Data, id: String? = nil) { (self.event, self.data, self.id) = (event, data, id) }
  }

  /// A line or a message with more bytes is no message of a server that means well.
  package static let sizeLimit = 64 << 20

  package struct TooLarge: Error {}

  private var line: [UInt8] = []
  private var endsWithReturn = false
  private var event = ""
  private var data: [UInt8]?
  private var id: String?

  package init() {}

  /// - Throws: `TooLarge`.
  package mutating func add(_ bytes: some Sequence<UInt8>) throws(TooLarge) -> [Message] {
    var messages: [Message] = []
    for byte in bytes {
      let follows = endsWithReturn
      endsWithReturn = byte == 0x0D
      switch byte {
      case 0x0A where follows: break
      case 0x0A, 0x0D: if let message = endLine() { messages.append(message) }
      default:
        line.append(byte)
        guard line.count + (data?.count ?? 0) <= Self.sizeLimit else { throw TooLarge() }
      }
    }
    return messages
  }

  private mutating func endLine() -> Message? {
    defer { line.removeAll(keepingCapacity: true) }
    guard !line.isEmpty else { return endMessage() }
    let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
    var value = line[colon...].dropFirst()
    if value.first == 0x20 { value = value.dropFirst() }
    switch String(decoding: line[..<colon], as: UTF8.self) {
    case "event": event = String(decoding: value, as: UTF8.self)
    case "data": data = data.map { $0 + [0x0A] + value } ?? Array(value)
    case "id": id = String(decoding: value, as: UTF8.self)
    default: break
    }
    return nil
  }

  private mutating func endMessage() -> Message? {
    defer { (event, data, id) = ("", nil, nil) }
    return data.map { Message(event: event.isEmpty ? "message" : event, data: Data($0), id: id) }
  }
}
