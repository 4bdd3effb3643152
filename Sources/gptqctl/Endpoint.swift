import Foundation

/// A host and a port.
package struct Endpoint: Sendable {
  package let host: String
  package let port: Int

  struct Failure: Error {
    /// Of errno; nil where there is none.
    let code: Int32?
    let reason: String
  }

  package init?(_ url: URL) {
    guard let host = url.host, !host.isEmpty else { return nil }
    self.host = host.trimmingCharacters(in: ["[", "]"])
    port = url.port ?? (url.scheme == "https" ? 443 : 80)
  }

  var isLoopback: Bool { ["localhost", "::1"].contains(host.lowercased()) || host.hasPrefix("127.") }

  /// Its addresses as numbers.
  func resolve() async -> Result<[String], Failure> {
    await onThread { candidates().map { list in list.map(\.text).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } } }
  }

  /// - Returns: The first address that takes a connection; the failure of the last one.
  func connect(seconds: Int) async -> Result<String, Failure> {
    await onThread {
      candidates().flatMap { list in
        var failure = Failure(code: nil, reason: "it has no address")
        for candidate in list {
          guard let problem = candidate.connect(seconds: seconds) else { return .success(candidate.text) }
          failure = problem
        }
        return .failure(failure)
      }
    }
  }

  private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: body()) }
    }
  }

  private struct Candidate {
    let family: Int32
    /// A `sockaddr` of the family.
    let address: [UInt8]
    let text: String

    /// nil: it takes connections.
    func connect(seconds: Int) -> Failure? {
      let socket = Glibc.socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard socket >= 0 else { return .system(errno) }
      defer { close(socket) }
      let result = unsafe address.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return Int32(-1) }
        return unsafe Glibc.connect(socket, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      if result == 0 { return nil }
      guard errno == EINPROGRESS else { return .system(errno) }
      var state = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
      guard unsafe poll(&state, 1, Int32(clamping: seconds * 1000)) > 0 else { return .system(ETIMEDOUT) }
      var (code, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
      guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return .system(errno) }
      return code == 0 ? nil : .system(code)
    }
  }

  private func candidates() -> Result<[Candidate], Failure> {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var first: UnsafeMutablePointer<addrinfo>? = nil
    let status = unsafe getaddrinfo(host, "\(port)", &hints, &first)
    guard status == 0 else { return .failure(Failure(code: nil, reason: unsafe String(cString: gai_strerror(status)))) }
    defer { unsafe freeaddrinfo(first) }
    var list: [Candidate] = []
    var next = unsafe first
    while let entry = unsafe next {
      unsafe next = unsafe entry.pointee.ai_next
      guard let address = unsafe entry.pointee.ai_addr else { continue }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let length = unsafe entry.pointee.ai_addrlen
      guard unsafe getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else { continue }
      let bytes = unsafe Array(UnsafeRawBufferPointer(start: address, count: Int(length)))
      list.append(
        Candidate(
          family: unsafe entry.pointee.ai_family, address: bytes,
          text: String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)))
    }
    return .success(list)
  }
}

extension Endpoint.Failure {
  fileprivate static func system(_ code: Int32) -> Self { Self(code: code, reason: unsafe String(cString: strerror(code))) }
}
