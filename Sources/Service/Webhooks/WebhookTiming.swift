import Foundation
import JobStore

/// When webhooks are tried, and for how long.
package struct WebhookTiming: Sendable, Hashable {
  /// Before the second try, the third, and so on; after the last there is none.
  ///
  /// Source: github.com/standard-webhooks/standard-webhooks, spec, "Deliverability and reliability".
  package var pauses: [Duration] = [
    .seconds(5), .seconds(300), .seconds(1800), .seconds(7200), .seconds(18_000), .seconds(36_000), .seconds(50_400), .seconds(72_000),
    .seconds(86_400),
  ]
  /// By which part a pause is longer or shorter, at random: receivers that come back aren't all asked at once.
  package var jitter = 0.2
  /// For a whole try.
  package var limit = Duration.seconds(15)
  /// Most that a receiver's `Retry-After` counts for.
  package static let longestPause = Duration.seconds(86_400)

  /// What follows a try.
  ///
  /// - Parameter tries: Before this one.
  func verdict(_ result: WebhookResult, tries: Int, at now: Date) -> WebhookOutbox.Verdict {
    if let status = result.status, (200..<300).contains(status) { return .delivered }
    // The receiver wants nothing any more.
    guard result.status != 410, tries < pauses.count else { return .failed }
    let pause = max(pauses[tries] * Double.random(in: (1 - jitter)...(1 + jitter)), min(result.retryAfter ?? .zero, Self.longestPause))
    return .again(at: now + pause / .seconds(1))
  }
}

/// What a receiver said.
struct WebhookResult: Sendable, Hashable {
  /// nil: nothing.
  var status: Int?
  /// Why it isn't a success; nil where it is.
  var error: String?
  /// How long it wants to be left alone.
  var retryAfter: Duration?
}
