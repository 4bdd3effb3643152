import Crypto
import Foundation
import Synchronization

/// An HTTP server that keeps what it is sent; a thread a connection, so that one may be slow.
final class WebhookReceiver: Sendable {
  struct Message: Sendable {
    let requestLine: String
    /// Names in lower case.
    let headers: [String: String]
    let body: Data
    let at: ContinuousClock.Instant

    var id: String { headers["webhook-id"] ?? "" }

    /// Checks the signature by its definition, without the daemon's code.
    func isSigned(with key: Data) -> Bool {
      guard let timestamp = headers["webhook-timestamp"], let signature = headers["webhook-signature"]?.dropFirst(3),
        let code = Data(base64Encoded: String(signature))
      else { return false }
      let content = Data("\(id).\(timestamp).".utf8) + body
      return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: SymmetricKey(data: key))
    }
  }

  enum Answer: Sendable {
    case status(Int, headers: [String: String] = [:], body: Data = Data())
    /// Bytes, sent again and again.
    case endless(String)
    case silence
    /// A whole header; the body that it announces never comes.
    case unfinished
    case hangUp
  }

  enum Failure: Error { case socket(Int32) }

  let port: Int
  private let record = Record()

  private final class Record: Sendable { let messages = Mutex<[Message]>([]) }

  var messages: [Message] { record.messages.withLock { $0 } }

  /// - Parameters:
  ///   - port: 0: a free one.
  ///   - answer: Gets each message with its position.
  init(port: Int = 0, _ answer: @escaping @Sendable (Message, Int) -> Answer = { _, _ in .status(204) }) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var reuse: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let size = length
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    guard isBound else { throw Failure.socket(errno) }
    self.port = Int(UInt16(bigEndian: address.sin_port))
    let record = record
    Thread.detachNewThread {
      while case let connection = accept(listener, nil, nil), connection >= 0 {
        Thread.detachNewThread {
          if let message = Self.read(connection) {
            let position = record.messages.withLock { messages in
              messages.append(message)
              return messages.count - 1
            }
            Self.give(answer(message, position), connection)
          }
          close(connection)
        }
      }
    }
  }

  struct Missing: Error {
    let expected: Int
    let received: Int
  }

  /// Returns when there are so many messages.
  func messages(_ count: Int) async throws -> [Message] {
    let deadline = ContinuousClock.now + .seconds(120)
    while messages.count < count {
      guard ContinuousClock.now < deadline else { throw Missing(expected: count, received: messages.count) }
      try await Task.sleep(for: .milliseconds(10))
    }
    return messages
  }

  private static func read(_ connection: Int32) -> Message? {
    var data = Data()
    while true {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      data += buffer[..<count]
      guard let end = data.firstRange(of: Data("\r\n\r\n".utf8)) else { continue }
      let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
      var headers: [String: String] = [:]
      for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        headers[parts[0].lowercased()] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
      }
      let body = Data(data[end.upperBound...])
      guard body.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 else { continue }
      return Message(requestLine: lines[0], headers: headers, body: body, at: .now)
    }
  }

  private static func give(_ answer: Answer, _ connection: Int32) {
    switch answer {
    case .status(let status, let headers, let body):
      let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
      _ = send(
        connection, Data("HTTP/1.1 \(status) Status\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\(fields)\r\n".utf8) + body)
    case .endless(let text): while send(connection, Data(text.utf8)) {}
    case .silence: awaitEnd(connection)
    case .unfinished:
      _ = send(connection, Data("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".utf8))
      awaitEnd(connection)
    case .hangUp: break
    }
  }

  /// Returns when the client goes.
  private static func awaitEnd(_ connection: Int32) {
    var byte: UInt8 = 0
    _ = recv(connection, &byte, 1, 0)
  }

  private static func send(_ connection: Int32, _ data: Data) -> Bool {
    let bytes = Array(data)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }
}
