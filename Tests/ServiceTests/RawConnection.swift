import Foundation

/// A TCP connection that sends exactly the bytes it is told to. Each call blocks a thread of its own.
struct RawConnection: Sendable {
  private let socket: Int32

  enum Failure: Error { case connect(Int32), silence }

  /// - Parameters:
  ///   - address: IPv4, in the order of its digits.
  ///   - receiveBuffer: Bytes that the system may hold for the connection; nil: as many as it likes.
  init(port: Int, address host: UInt32 = INADDR_LOOPBACK, receiveBuffer: Int32? = nil) throws {
    socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var receiveBuffer { setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size)) }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = host.bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard result == 0 else { throw Failure.connect(errno) }
  }

  func close() { Foundation.close(socket) }

  /// Tells the server that nothing more comes.
  func endInput() { shutdown(socket, Int32(SHUT_WR)) }

  /// - Returns: How many bytes the server took before it closed the connection.
  @discardableResult
  func send(_ data: Data) async -> Int {
    await onThread {
      let bytes = Array(data)
      var sent = 0
      while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { break }
        sent += count
      }
      return sent
    }
  }

  /// Sends and receives everything, without a thread of its own.
  func exchange(_ data: Data) -> Data {
    data.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = Foundation.send(socket, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
        guard count > 0 else { break }
        sent += count
      }
    }
    var (answer, buffer) = (Data(), [UInt8](repeating: 0, count: 1 << 16))
    while case let count = recv(socket, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
    return answer
  }

  func send(_ text: String) async { await send(Data(text.utf8)) }

  /// What has come, up to `limit` bytes; empty at the end of the stream.
  func receive(limit: Int = 1 << 16) async throws -> Data {
    let data = await onThread { () -> Data? in
      var buffer = [UInt8](repeating: 0, count: limit)
      let count = recv(socket, &buffer, limit, 0)
      return count < 0 && errno == EAGAIN ? nil : Data(buffer.prefix(max(0, count)))
    }
    guard let data else { throw Failure.silence }
    return data
  }

  /// Everything until the server ends the connection.
  func receiveAll() async throws -> Data {
    var data = Data()
    while case let part = try await receive(limit: 1 << 20), !part.isEmpty { data += part }
    return data
  }

  private func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: body()) }
    }
  }
}

/// An HTTP answer as it came over the wire.
struct RawAnswer: Sendable {
  let status: Int
  /// Names in lower case.
  let headers: [String: String]
  let body: Data

  /// The first answer in `data`, whose body is all that follows its head.
  init?(_ data: Data) {
    guard let end = data.firstRange(of: Data("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count > 1, let status = Int(words[1]) else { return nil }
    self.status = status
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    }
    self.headers = headers
    body = Data(data[end.upperBound...])
  }
}
