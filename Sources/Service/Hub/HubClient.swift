import Foundation
import JobModel

/// The Hub protocol, as a client.
struct HubClient: Sendable {
  let endpoint: URL
  let token: Secret?

  private static let redirectLimit = 5

  /// What a request is about, for errors.
  struct Subject: Sendable {
    let reference: HubReference
    /// nil: the listing.
    let file: String?
  }

  /// Follows redirects, without the token where they leave the endpoint's origin.
  ///
  /// - Parameters:
  ///   - path: Below the endpoint, percent-encoded.
  ///   - offset: The first byte that is wanted.
  /// - Throws: `HubError`, and what `body` throws.
  func get(
    _ path: String, _ subject: Subject, from offset: Int = 0, timeout: Duration?, over connection: OutgoingConnection,
    isCancelled: @escaping () -> Bool, into body: any OutgoingConnection.Body
  ) throws {
    guard var url = URL(string: endpoint.absoluteString + path) else { throw HubError.malformed("\(path) is no path") }
    let end = timeout.map { ContinuousClock.now + $0 }
    for _ in 0...Self.redirectLimit {
      var headers = ["Accept-Encoding: identity"]
      if offset > 0 { headers.append("Range: bytes=\(offset)-") }
      if let token, Self.isSameOrigin(url, endpoint) { headers.append("Authorization: Bearer \(token.text)") }
      let left = end.map { max(.milliseconds(1), $0 - .now) }
      let head = try HubError.translating {
        try connection.get(url, headers: headers, timeout: left, isCancelled: isCancelled, body: body)
      }
      switch head.status {
      case 200, 206: return
      case 301, 302, 303, 307, 308: url = try redirect(head, from: url)
      default: throw error(head, subject, path: path)
      }
    }
    throw HubError.redirect(reason: "more than \(Self.redirectLimit) times")
  }

  private func error(_ head: AnswerHead, _ subject: Subject, path: String) -> HubError {
    let repository = subject.reference.hub
    let reason = head["x-error-code"]
    switch head.status {
    case 401, 403:
      if reason == "GatedRepo" { return .gated(repository: repository) }
      return reason == "RepoNotFound" && token == nil
        ? .noRepository(repository, withToken: false) : .unauthorized(repository: repository, withToken: token != nil)
    case 404:
      if reason == "RevisionNotFound" { return .noRevision(subject.reference.revision, repository: repository) }
      if let file = subject.file { return .noFile(file, repository: repository) }
      return .noRepository(repository, withToken: token != nil)
    case 408, 429, 500...599: return .busy(status: head.status, retryAfter: head.retryAfter())
    default: return .unexpectedStatus(head.status, path: path)
    }
  }

  private static let addressLimit = 16 << 10

  /// Where a redirect leads: by TLS anywhere with TLS, without it only to the same host.
  private func redirect(_ head: AnswerHead, from url: URL) throws(HubError) -> URL {
    guard let location = head["location"], location.utf8.count <= Self.addressLimit,
      let target = URL(string: location, relativeTo: url)?.absoluteURL, let scheme = target.scheme?.lowercased(),
      let host = target.host?.lowercased(), !host.isEmpty
    else { throw .redirect(reason: "its Location is no address") }
    guard ["http", "https"].contains(scheme), target.user == nil, target.password == nil else {
      throw .redirect(reason: "to an address that isn't http or https, or has a user")
    }
    if url.scheme?.lowercased() == "https" {
      guard scheme == "https" else { throw .redirect(reason: "from https to http") }
    } else {
      guard host == url.host?.lowercased() else { throw .redirect(reason: "to another host, without TLS") }
    }
    return target
  }

  private static func isSameOrigin(_ one: URL, _ other: URL) -> Bool {
    func origin(_ url: URL) -> [String] {
      let scheme = url.scheme?.lowercased() ?? ""
      return [scheme, url.host?.lowercased() ?? "", "\(url.port ?? (scheme == "https" ? 443 : 80))"]
    }
    return origin(one) == origin(other)
  }
}

/// A small body, kept in memory.
final class HubMemoryBody: OutgoingConnection.Body {
  private(set) var bytes: [UInt8] = []
  private(set) var contentType: String?
  private let limit: Int
  private let name: String

  /// - Parameter name: What the body is, for errors.
  init(limit: Int, name: String) { (self.limit, self.name) = (limit, name) }

  func begin(_ head: AnswerHead) throws {
    bytes = []
    contentType = head["content-type"]
    if let length = try head.contentLength(), length > limit { throw tooLarge }
  }

  func receive(_ more: UnsafeRawBufferPointer) throws {
    guard bytes.count + more.count <= limit else { throw tooLarge }
    unsafe bytes.append(contentsOf: more)
  }

  private var tooLarge: HubError { .malformed("\(name) has more than \(limit) bytes") }
}
