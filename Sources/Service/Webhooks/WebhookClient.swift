import Foundation
import JobModel
import Synchronization

/// Posts messages to receivers that nobody trusts: it follows no redirect, keeps no cookie, reads little of an answer and nothing
/// out of it but its status.
struct WebhookClient: Sendable {
  private let limit: Duration

  /// - Parameter limit: For a whole try.
  init(limit: Duration) { self.limit = limit }

  func post(_ body: String, to target: WebhookURL, _ fields: [String: String]) async -> WebhookResult {
    // Another reading of the host than the one that was allowed would be worse than no delivery.
    guard let url = URL(string: target.description), url.host.map({ $0.trimmingCharacters(in: ["[", "]"]) }) == target.bareHost,
      (url.port ?? target.scheme.standardPort) == target.port
    else { return WebhookResult(error: "the URL can't be used") }
    let headers = ["Content-Type: application/json"] + fields.map { "\($0): \($1)" }.sorted()
    let flag = Flag()
    let start = ContinuousClock.now
    return await withTaskCancellationHandler {
      do {
        let head = try await Self.onThread { [limit] in
          try OutgoingConnection().post(Array(body.utf8), to: url, headers: headers, timeout: limit, isCancelled: { flag.isSet })
        }
        return WebhookResult(head)
      } catch {
        let isLate = ContinuousClock.now - start >= limit
        return WebhookResult(error: isLate ? "the receiver didn't answer in time" : Self.reason(error))
      }
    } onCancel: {
      flag.set()
    }
  }

  /// Not on a pool's threads: a receiver that says nothing would hold up jobs, of which pools run few at a time.
  private static func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Swift.Result(catching: body)) }
    }
  }

  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
  }

  /// In words that say nothing of the machine but what its operator's receiver did.
  private static func reason(_ error: any Error) -> String {
    switch error as? OutgoingError {
    case .unreachable(_, let reason): "the receiver can't be reached: \(reason)"
    case .malformed(let reason): "the receiver's answer is no HTTP: \(reason)"
    case .noLibrary: "libcurl.so.4 can't be loaded"
    case .cancelled: "the receiver didn't answer before the daemon stopped"
    case nil: "the connection failed"
    }
  }
}

extension WebhookResult {
  fileprivate init(_ head: AnswerHead) {
    self.init(error: nil)
    status = head.status
    switch head.status {
    case 200..<300: break
    case 300..<400: error = "the receiver redirects, which isn't followed"
    case 410: error = "the receiver wants no more messages"
    default: error = "the receiver answered with status \(head.status)"
    }
    retryAfter = head.retryAfter()
  }
}

extension WebhookURL {
  fileprivate var bareHost: String {
    switch host {
    case .name(let text), .ipv4(let text), .ipv6(let text): text
    }
  }
}
