import JobModel
import NIOHTTP1

/// What a request's head must be for every reader of it, such as a proxy before the daemon, to see the same request in the same
/// bytes. The parser is stricter than most in some ways and more lenient in others; this is what is left to it.
package struct RequestHeadRules: Sendable {
  /// Bytes of a body that is read into memory, and of one that goes to disk.
  private let bodyLimit: Int
  private let uploadLimit: Int

  /// - Parameter uploadLimit: nil: as any body.
  package init(bodyLimit: Int, uploadLimit: Int? = nil) { (self.bodyLimit, self.uploadLimit) = (bodyLimit, uploadLimit ?? bodyLimit) }

  /// Whether a request's body goes to disk: only uploads have this method.
  static func isUpload(_ head: HTTPRequestHead) -> Bool { head.method == .PUT }

  /// Bytes of the body.
  func limit(for head: HTTPRequestHead) -> Int { Self.isUpload(head) ? uploadLimit : bodyLimit }

  /// What a body of more bytes is refused with.
  func tooLarge(_ head: HTTPRequestHead) -> Problem {
    Self.isUpload(head) ? .uploadTooLarge(limit: uploadLimit) : .bodyTooLarge(limit: bodyLimit)
  }

  /// Why a request is refused; nil: it isn't. Where one follows on the same connection isn't certain after a refusal.
  package func problem(with head: HTTPRequestHead) -> Problem? {
    version(head) ?? host(head) ?? framing(head) ?? target(head) ?? method(head) ?? expectation(head) ?? length(head)
  }

  /// Whether a body follows the head.
  package static func announcesBody(_ head: HTTPRequestHead) -> Bool {
    head.headers.contains(name: "Transfer-Encoding") || head.headers.first(name: "Content-Length").map { $0 != "0" } ?? false
  }

  private func version(_ head: HTTPRequestHead) -> Problem? {
    head.version == .http1_1 || head.version == .http1_0 ? nil : .malformed("the version must be HTTP/1.1 or HTTP/1.0")
  }

  /// RFC 9112, section 3.2.
  private func host(_ head: HTTPRequestHead) -> Problem? {
    let hosts = head.headers["Host"]
    if hosts.isEmpty { return head.version == .http1_0 ? nil : .malformed("there is no Host") }
    guard hosts.count == 1 else { return .malformed("there are \(hosts.count) Host fields") }
    return Self.isAuthority(hosts[0]) ? nil : .malformed("the Host is not a host and a port")
  }

  private static func isAuthority(_ text: String) -> Bool {
    text.wholeMatch(of: /(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~%-]{1,255})(?::[0-9]{0,5})?/) != nil
  }

  /// RFC 9112, section 6.
  private func framing(_ head: HTTPRequestHead) -> Problem? {
    let (codings, lengths) = (head.headers["Transfer-Encoding"], head.headers["Content-Length"])
    if !codings.isEmpty {
      guard lengths.isEmpty else { return .malformed("it has a Content-Length and a Transfer-Encoding") }
      guard head.version == .http1_1 else { return .malformed("HTTP/1.0 has no Transfer-Encoding") }
      guard codings.count == 1, codings[0].lowercased() == "chunked" else { return .malformed("the Transfer-Encoding must be chunked") }
    }
    guard lengths.count <= 1 else { return .malformed("there are \(lengths.count) Content-Length fields") }
    if let length = lengths.first, length.isEmpty || !length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return .malformed("the Content-Length is not a number")
    }
    return nil
  }

  /// RFC 9112, section 3.2: a path, or a whole URL of the host that `Host` names.
  private func target(_ head: HTTPRequestHead) -> Problem? {
    let uri = head.uri
    guard uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
      return .malformed("the target has characters that must be percent-encoded")
    }
    if uri.hasPrefix("/") || uri == "*" && head.method == .OPTIONS { return nil }
    guard let scheme = ["http://", "https://"].first(where: uri.lowercased().hasPrefix) else {
      return .malformed("the target is neither a path nor an http URL")
    }
    let authority = uri.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
    guard let host = head.headers.first(name: "Host"), authority.lowercased() == host.lowercased() else {
      return .malformed("the target's host is not the one of Host")
    }
    return nil
  }

  private func method(_ head: HTTPRequestHead) -> Problem? {
    guard head.method == .CONNECT || head.method == .TRACE else { return nil }
    return Problem(
      .methodNotAllowed, status: 405, title: "The method is not one that the daemon has", detail: "\(head.method) is nowhere possible")
  }

  private func expectation(_ head: HTTPRequestHead) -> Problem? {
    let expectations = head.headers["Expect"]
    guard !expectations.isEmpty, expectations.count > 1 || expectations[0].lowercased() != "100-continue" else { return nil }
    return Problem(
      .expectationFailed, status: 417, title: "The expectation can't be met", detail: "Expect may only be 100-continue, or be left out")
  }

  private func length(_ head: HTTPRequestHead) -> Problem? {
    guard let length = head.headers.first(name: "Content-Length"), Int(length).map({ $0 > limit(for: head) }) ?? true else {
      return nil
    }
    return tooLarge(head)
  }
}

extension Problem {
  static func malformed(_ detail: String) -> Problem {
    Problem(.invalidRequest, status: 400, title: "The request is not proper HTTP", detail: detail)
  }
}
