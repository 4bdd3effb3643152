import Foundation
import Synchronization

/// Answers HTTP requests on a free loopback port with what a closure says, each connection on a thread of its own.
final class ScriptedHub: Sendable {
  struct Request: Sendable {
    /// Path and query, as sent.
    let target: String
    /// Names in lower case.
    let headers: [String: String]

    /// Without the query.
    var path: String { String(target.prefix { $0 != "?" }) }

    /// The first byte that is asked for.
    var offset: Int {
      guard let range = headers["range"], range.hasPrefix("bytes="), range.hasSuffix("-") else { return 0 }
      return Int(range.dropFirst(6).dropLast()) ?? 0
    }
  }

  struct Answer: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body = Data()
    /// Instead of all else: exactly these bytes.
    var raw: Data?
    /// Bytes of head and body after which nothing more is sent.
    var limit = Int.max
    /// After the last byte, the connection stays until the client or the test ends it.
    var stalls = false
    /// Sends the body again and again.
    var isEndless = false

    static func json(_ text: String, status: Int = 200) -> Answer {
      Answer(status: status, headers: ["Content-Type": "application/json"], body: Data(text.utf8))
    }

    static func error(_ status: Int, _ headers: [String: String] = [:]) -> Answer { Answer(status: status, headers: headers) }
  }

  enum Failure: Error { case socket(Int32) }

  let url: String
  let port: Int
  private let listener: Int32
  private let record = Record()

  private final class Record: Sendable {
    let requests = Mutex<[Request]>([])
    let isOver = Atomic<Bool>(false)
  }

  var requests: [Request] { record.requests.withLock { $0 } }

  func requests(of file: String) -> [Request] { requests.filter { $0.path.hasSuffix("/" + file) } }

  init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (size, listener) = (length, listener)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    guard isBound else { throw Failure.socket(errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
    url = "http://127.0.0.1:\(port)"
    let record = record
    Thread.detachNewThread {
      while case let connection = accept(listener, nil, nil), connection >= 0 {
        Thread.detachNewThread {
          if let request = Self.read(connection) {
            record.requests.withLock { $0.append(request) }
            Self.write(answer(request), to: connection) { record.isOver.load(ordering: .relaxed) }
          }
          close(connection)
        }
      }
      close(listener)
    }
  }

  deinit {
    record.isOver.store(true, ordering: .relaxed)
    shutdown(listener, Int32(SHUT_RDWR))
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
      return Request(target: words[1], headers: headers)
    }
  }

  private static func write(_ answer: Answer, to connection: Int32, isOver: () -> Bool) {
    let length = answer.isEndless || answer.headers["Content-Length"] != nil ? "" : "Content-Length: \(answer.body.count)\r\n"
    let fields = answer.headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    let head = "HTTP/1.1 \(answer.status) Status\r\n\(length)Connection: close\r\n\(fields)\r\n"
    let bytes = answer.raw ?? Data((Array(head.utf8) + answer.body).prefix(answer.limit))
    guard send(bytes, to: connection) else { return }
    while answer.isEndless, !isOver() {
      guard send(answer.body, to: connection) else { return }
    }
    guard answer.stalls else { return }
    var limit = timeval(tv_sec: 0, tv_usec: 50_000)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var byte: UInt8 = 0
    while !isOver(), case let count = recv(connection, &byte, 1, 0), count > 0 || errno == EAGAIN && count < 0 {}
  }

  private static func send(_ data: Data, to connection: Int32) -> Bool {
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
