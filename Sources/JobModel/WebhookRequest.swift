import Foundation
import StrictJSON

/// Who is told when a job has ended.
public struct WebhookRequest: Codable, Sendable, Hashable {
  public var url: WebhookURL
  /// As it was sent; nil in a job that was stored, so that no answer has it.
  public var secret: WebhookSecret?

  public init(url: WebhookURL, secret: WebhookSecret?) { (self.url, self.secret) = (url, secret) }

  private enum CodingKeys: CodingKey { case url }
}

/// What messages to a webhook are signed with.
///
/// Source: github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme".
public struct WebhookSecret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
  public static let prefix = "whsec_"
  static let sizes = 24...64

  public let key: Data

  /// - Parameter text: `whsec_` and 24 to 64 bytes as base64; nil for others.
  public init?(_ text: String) {
    guard text.hasPrefix(Self.prefix), let key = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))),
      Self.sizes.contains(key.count)
    else { return nil }
    self.key = key
  }

  /// A stored one.
  public init(key: Data) { self.key = key }

  public var description: String { "\(Self.prefix)…" }

  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension RequestReader {
  /// The members of `webhook`; what is wrong is said without repeating the secret.
  mutating func webhook() -> WebhookRequest? {
    nested("webhook") { reader in
      let url = reader.webhookURL()
      let secret = reader.webhookSecret()
      guard let url, let secret else { return nil }
      return WebhookRequest(url: url, secret: secret)
    } ?? nil
  }

  private mutating func webhookURL() -> WebhookURL? {
    guard let text = text("url") else { return nil }
    do {
      return try WebhookURL(text)
    } catch {
      report("url", error.description)
      return nil
    }
  }

  private mutating func webhookSecret() -> WebhookSecret? {
    guard let text = text("secret") else { return nil }
    let secret = WebhookSecret(text)
    if secret == nil {
      report("secret", "must be whsec_ and the base64 of 24 to 64 random bytes: echo whsec_$(openssl rand -base64 32)")
    }
    return secret
  }

  private mutating func text(_ field: String) -> String? {
    guard let member = member(field) else {
      report(field, "is missing")
      return nil
    }
    if member.stringValue == nil { report(field, "must be a string, is \(member.kindDescription)") }
    return member.stringValue
  }
}
