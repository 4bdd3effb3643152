import Crypto
import Foundation
import JobModel

/// The header fields by which a receiver knows that a message is from this daemon, and new.
///
/// Source: github.com/standard-webhooks/standard-webhooks, spec, "Webhook headers" and "Signature scheme".
package enum WebhookSignature {
  /// - Parameters:
  ///   - id: The same for each try.
  ///   - time: Of the try.
  package static func fields(id: String, time: Date, body: String, secret: WebhookSecret) -> [String: String] {
    let timestamp = String(Int(time.timeIntervalSince1970))
    let code = HMAC<SHA256>.authenticationCode(for: Data("\(id).\(timestamp).\(body)".utf8), using: SymmetricKey(data: secret.key))
    return ["webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": "v1," + Data(code).base64EncodedString()]
  }
}
