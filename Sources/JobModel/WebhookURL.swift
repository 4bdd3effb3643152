/// Where a job's webhook goes: an `http` or `https` URL with nothing in it that two programs could read differently.
///
/// Stricter than RFC 3986, so that the host which is compared with what the operator allows is the one that is connected to: no
/// user, no fragment, no escapes in the host, names in ASCII (an internationalised one as `xn--…`), addresses in their only
/// canonical form.
public struct WebhookURL: Sendable, Hashable, Codable, CustomStringConvertible {
  public enum Scheme: String, Sendable, CaseIterable {
    case http, https

    public var standardPort: Int {
      switch self {
      case .http: 80
      case .https: 443
      }
    }
  }

  /// Why a text is none.
  public struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    package init(_ description: String) { self.description = description }
  }

  public static let lengthLimit = 2048

  public let scheme: Scheme
  public let host: NetworkHost
  public let port: Int
  /// Path and query, from the first slash or question mark on.
  public let target: String

  /// - Throws: `Invalid`; its text doesn't repeat more than the host.
  public init(_ text: String) throws(Invalid) {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.lengthLimit else { throw Invalid("must have at most \(Self.lengthLimit) bytes, has \(bytes.count)") }
    // No controls, spaces, quotes, backslashes: what browsers repair and others don't.
    guard bytes.allSatisfy({ (0x21...0x7E).contains($0) && !Array("\"<>\\^`{|}".utf8).contains($0) }) else {
      throw Invalid("has a character that URLs don't; write it as %XX, and an international host as xn--…")
    }
    guard let end = text.firstRange(of: "://"), let scheme = Scheme(rawValue: text[..<end.lowerBound].lowercased()) else {
      throw Invalid("must begin with https:// or http://")
    }
    let rest = text[end.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let target = rest[authority.endIndex...]
    guard !authority.contains("@") else { throw Invalid("must not have a user or password; the signature tells who sent it") }
    guard !target.contains("#") else { throw Invalid("must not have a fragment (#…)") }
    guard Self.hasWholeEscapes(target.utf8) else { throw Invalid("has a % that two hexadecimal digits don't follow") }
    let (host, port) = try Self.split(authority)
    self.scheme = scheme
    self.host = try NetworkHost(host)
    self.port = try port.map(Self.port) ?? scheme.standardPort
    self.target = target.isEmpty ? "/" : target.hasPrefix("?") ? "/" + target : String(target)
  }

  private static func split(_ authority: Substring) throws(Invalid) -> (host: Substring, port: Substring?) {
    var host = authority
    var port: Substring?
    let colon = authority.hasPrefix("[") ? authority.lastIndex(of: "]").map { authority.index(after: $0) } : authority.firstIndex(of: ":")
    if let colon, colon < authority.endIndex {
      guard authority[colon] == ":" else { throw Invalid("has something between the host and its port") }
      (host, port) = (authority[..<colon], authority[authority.index(after: colon)...])
    }
    return (host, port)
  }

  /// Digits without leading zeros.
  static func port(_ text: Substring) throws(Invalid) -> Int {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0, String(port) == text else {
      throw Invalid("must have a port from 1 to 65535 after the colon")
    }
    return Int(port)
  }

  private static func hasWholeEscapes(_ text: Substring.UTF8View) -> Bool {
    var bytes = text[...]
    while let percent = bytes.firstIndex(of: 0x25) {
      let digits = bytes[percent...].dropFirst().prefix(2)
      guard digits.count == 2, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return false }
      bytes = bytes[digits.endIndex...]
    }
    return true
  }

  /// Host and port, as connections are counted by.
  public var authority: String { "\(host):\(port)" }

  public var description: String { "\(scheme.rawValue)://\(host)\(port == scheme.standardPort ? "" : ":\(port)")\(target)" }

  public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
