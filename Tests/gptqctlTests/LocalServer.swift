import Foundation
import Synchronization

/// Answers HTTP requests on a free port with what a closure says, one connection after the other, and keeps the requests;
/// until the process ends, so that no client outlives its server.
final class LocalServer: Sendable {
  struct Request: Sendable {
    let method: String
    /// Path and query, as sent.
    let target: String
    /// Names in lower case.
    let headers: [String: String]
    let body: String
  }

  struct Answer: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body = Data()

    static func json(_ text: String, status: Int = 200) -> Answer { Answer(status: status, body: Data(text.utf8)) }
  }

  enum Failure: Error { case socket(Int32) }

  /// With the address that the system chose.
  let url: String
  private let record = Record()

  private final class Record: Sendable { let requests = Mutex<[Request]>([]) }

  var requests: [Request] { record.requests.withLock { $0 } }

  init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let size = length
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    guard isBound else { throw Failure.socket(errno) }
    url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    let record = record
    Thread.detachNewThread {
      while case let connection = accept(listener, nil, nil), connection >= 0 {
        if let request = Self.read(connection) {
          record.requests.withLock { $0.append(request) }
          Self.write(answer(request), to: connection)
        }
        close(connection)
      }
    }
  }

  private static func read(_ connection: Int32) -> Request? {
    var data = Data()
    while true {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      data += buffer[..<count]
      guard let end = data.firstRange(of: Data("\r\n\r\n".utf8)) else { continue }
      let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
      let words = lines[0].split(separator: " ").map(String.init)
      guard words.count == 3 else { return nil }
      var headers: [String: String] = [:]
      for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        headers[parts[0].lowercased()] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
      }
      let body = data[end.upperBound...]
      guard body.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 else { continue }
      return Request(method: words[0], target: words[1], headers: headers, body: String(decoding: body, as: UTF8.self))
    }
  }

  private static func write(_ answer: Answer, to connection: Int32) {
    let fields = answer.headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    let head = "HTTP/1.1 \(answer.status) Status\r\nContent-Length: \(answer.body.count)\r\nConnection: close\r\n\(fields)\r\n"
    let bytes = Array(head.utf8) + answer.body
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      sent += count
    }
  }
}
