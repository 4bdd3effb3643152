/// Which model a job quantizes.
public enum ModelReference: Sendable, Hashable {
  /// Of a folder below one of the configured model roots, or of a file of layers there.
  case name(String)
  case hub(HubReference)

  public var hub: HubReference? {
    if case .hub(let reference) = self { reference } else { nil }
  }
}

/// A repository of the configured Hub; on the wire `{"hub": "org/name", "revision": "main", "commit": "…"}`.
public struct HubReference: Codable, Sendable, Hashable, CustomStringConvertible {
  /// `org/name`.
  public let hub: String
  /// Branch, tag or commit that was asked for.
  public let revision: String
  /// What the revision stood for when the job was made: 40 hexadecimal digits; nil: the Hub didn't answer yet.
  public var commit: String?

  public init(hub: String, revision: String = "main", commit: String? = nil) {
    self.hub = hub
    self.revision = revision
    self.commit = commit
  }

  public var description: String { hub + (revision == "main" ? "" : "@" + revision) }

  /// Two names with a slash between.
  public static func isRepository(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { ResourceName.isValid(String($0)) }
  }

  /// Git's names, as far as Hubs have them: letters, digits, `.`, `_`, `-`, and `/` between parts.
  public static func isRevision(_ text: String) -> Bool {
    text.utf8.count <= 255 && !text.hasPrefix("-")
      && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
        ResourceName.isValid(String(part)) && !part.hasPrefix(".") && !part.contains("..")
      }
  }

  /// 40 hexadecimal digits in lower case.
  public static func isCommit(_ text: String) -> Bool {
    text.utf8.count == 40 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}

extension ModelReference: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral name: String) { self = .name(name) }

  public var description: String {
    switch self {
    case .name(let name): name
    case .hub(let reference): reference.description
    }
  }
}

extension ModelReference: Codable {
  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      self = .name(name)
    } else {
      self = .hub(try HubReference(from: decoder))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .name(let name):
      var container = encoder.singleValueContainer()
      try container.encode(name)
    case .hub(let reference): try reference.encode(to: encoder)
    }
  }
}
