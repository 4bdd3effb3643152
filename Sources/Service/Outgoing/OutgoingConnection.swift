import CCurl
import Foundation

/// Requests to other servers, one at a time; TCP and TLS connections are kept between them.
///
/// libcurl, and not URLSession: that one ends the process where a connection is cut within a header (NativeProtocol.swift of
/// swift-corelibs-foundation 6.3: "Transfer completed, but there's no response"), can't be held back when bytes come faster than a disk
/// takes them, and keeps the whole body of a redirect.
@safe final class OutgoingConnection {
  private let handle: OpaquePointer

  /// What becomes of a body. Only bodies of answers with status 200 or 206 get there.
  protocol Body: AnyObject {
    /// Called once, before the first bytes, also where there are none.
    func begin(_ head: AnswerHead) throws
    func receive(_ bytes: UnsafeRawBufferPointer) throws
  }

  private static let start = curl_start()

  /// libcurl is there.
  static var isPossible: Bool { start == 0 }

  /// - Throws: `OutgoingError.noLibrary`.
  init() throws(OutgoingError) {
    guard Self.start == 0, let handle = unsafe curl_open() else { throw .noLibrary }
    unsafe self.handle = handle
  }

  deinit { unsafe curl_close(handle) }

  /// Redirects aren't followed.
  ///
  /// - Parameters:
  ///   - headers: Lines, without line ends.
  ///   - timeout: For all of it; nil: as long as bytes come.
  ///   - isCancelled: Asked once a second and at every piece.
  /// - Throws: `OutgoingError`, and what `body` throws.
  func get(
    _ url: URL, headers: [String], timeout: Duration?, isCancelled: @escaping () -> Bool, body: any Body
  ) throws -> AnswerHead {
    try send(url, headers: headers, timeout: timeout, posting: nil, to: Transfer(body: body, isCancelled: isCancelled))
  }

  /// Sends `message` by POST. Of the answer's body little is read, and nothing kept.
  func post(
    _ message: [UInt8], to url: URL, headers: [String], timeout: Duration, isCancelled: @escaping () -> Bool
  ) throws -> AnswerHead {
    try send(
      // Without Expect: some servers never answer it.
      url, headers: headers + ["Expect:"], timeout: timeout, posting: message, to: Transfer(body: nil, isCancelled: isCancelled))
  }

  private func send(
    _ url: URL, headers: [String], timeout: Duration?, posting message: [UInt8]?, to transfer: Transfer
  ) throws -> AnswerHead {
    var list: OpaquePointer?
    defer { unsafe curl_free_list(list) }
    for line in headers {
      guard let longer = unsafe curl_append(list, line) else { throw POSIXError(.ENOMEM) }
      unsafe list = longer
    }
    unsafe curl_reset(handle)
    unsafe setOptions(transfer, headers: list, timeout: timeout)
    unsafe url.absoluteString.withCString { _ = unsafe curl_set_pointer(handle, Int32(CURLOPT_URL), $0) }
    if let message {
      _ = unsafe curl_set_number(handle, Int32(CURLOPT_POSTFIELDSIZE), message.count)
      _ = unsafe message.withUnsafeBytes { unsafe curl_set_pointer(handle, Int32(CURLOPT_COPYPOSTFIELDS), $0.baseAddress) }
    }
    let code = withExtendedLifetime(transfer) { unsafe curl_perform(handle) }
    if let failure = transfer.failure { throw failure }
    // Of an error's page, the beginning is enough; what answers a message has said all with its status.
    guard code == 0 || transfer.isEnough || message != nil && transfer.head.isComplete else {
      if transfer.isCancelled() { throw OutgoingError.cancelled }
      throw OutgoingError.unreachable(host: url.host ?? "", reason: unsafe String(cString: curl_message(code)))
    }
    guard transfer.head.isComplete else {
      throw OutgoingError.unreachable(host: url.host ?? "", reason: "the answer ends within its header")
    }
    try transfer.beginBody()
    return transfer.head
  }

  /// Slower, over a minute, is as good as nothing.
  private static let (leastBytesPerSecond, stallSeconds, connectMilliseconds) = (1024, 60, 30_000)

  private func setOptions(_ transfer: Transfer, headers: OpaquePointer?, timeout: Duration?) {
    func set(_ option: Int, _ value: Int) { _ = unsafe curl_set_number(handle, Int32(option), value) }
    set(CURLOPT_HTTPGET, 1)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_NOPROGRESS, 0)
    set(CURLOPT_HTTP09_ALLOWED, 0)
    set(CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS)
    set(CURLOPT_CONNECTTIMEOUT_MS, Self.connectMilliseconds)
    set(CURLOPT_LOW_SPEED_LIMIT, Self.leastBytesPerSecond)
    set(CURLOPT_LOW_SPEED_TIME, Self.stallSeconds)
    if let timeout { set(CURLOPT_TIMEOUT_MS, max(1, Int(timeout / .milliseconds(1)))) }
    unsafe "gptqd/\(Daemon.version)".withCString { _ = unsafe curl_set_pointer(handle, Int32(CURLOPT_USERAGENT), $0) }
    _ = unsafe curl_set_pointer(handle, Int32(CURLOPT_HTTPHEADER), headers.map { unsafe UnsafeRawPointer($0) })
    let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(transfer).toOpaque())
    for option in [CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_XFERINFODATA] {
      _ = unsafe curl_set_pointer(handle, Int32(option), context)
    }
    _ = unsafe curl_set_receiver(handle, Int32(CURLOPT_HEADERFUNCTION)) { bytes, size, count, context in
      let isTaken = unsafe Transfer.of(context).takes {
        try unsafe $0.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
      }
      return isTaken ? size * count : 0
    }
    _ = unsafe curl_set_receiver(handle, Int32(CURLOPT_WRITEFUNCTION)) { bytes, size, count, context in
      let isTaken = unsafe Transfer.of(context).takes {
        try unsafe $0.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
      }
      // 0 would be right for an empty piece.
      return isTaken ? size * count : size * count + 1
    }
    _ = unsafe curl_set_progress(handle) { context, _, _, _, _ in unsafe Transfer.of(context).isCancelled() ? 1 : 0 }
  }
}

/// One answer, as libcurl tells of it.
private final class Transfer {
  private(set) var head = AnswerHead()
  private(set) var failure: (any Error)?
  private(set) var isEnough = false
  let isCancelled: () -> Bool
  /// nil: of no interest.
  private let body: (any OutgoingConnection.Body)?
  private var hasBegun = false
  private var discarded = 0
  private static let discardLimit = 64 << 10

  init(body: (any OutgoingConnection.Body)?, isCancelled: @escaping () -> Bool) {
    (self.body, self.isCancelled) = (body, isCancelled)
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> Transfer {
    guard let context = unsafe context else { preconditionFailure("a transfer has a context") }
    return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  }

  /// - Returns: false where the transfer is to end.
  func takes(_ body: (Transfer) throws -> Void) -> Bool {
    do {
      try body(self)
      return !isEnough
    } catch {
      failure = error
      return false
    }
  }

  func receiveHeader(_ bytes: UnsafeRawBufferPointer) throws { try head.append(unsafe Array(bytes)) }

  func receiveBody(_ bytes: UnsafeRawBufferPointer) throws {
    if isCancelled() { throw OutgoingError.cancelled }
    guard isSuccess, let body else {
      discarded += bytes.count
      isEnough = discarded > Self.discardLimit
      return
    }
    try beginBody()
    try unsafe body.receive(bytes)
  }

  private var isSuccess: Bool { head.status == 200 || head.status == 206 }

  func beginBody() throws {
    guard isSuccess, !hasBegun, let body else { return }
    hasBegun = true
    if let encoding = head["content-encoding"], encoding.lowercased() != "identity" {
      throw OutgoingError.malformed("it is encoded, although identity was asked for")
    }
    try body.begin(head)
  }
}
