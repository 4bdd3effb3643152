import Crypto
import Foundation

/// A bearer token that the daemon accepts. Only its SHA-256 is known, so that nobody who reads the configuration can use it.
public struct AccessToken: Sendable, Hashable {
  public enum Scope: String, Sendable, CaseIterable {
    /// `GET` and `HEAD`.
    case read
    /// Everything.
    case write
  }

  public let name: String
  public let scope: Scope
  /// SHA-256 of the token's text.
  let hash: [UInt8]

  /// A token that nobody has.
  ///
  /// - Returns: The token's text, which is kept nowhere, and what the daemon has to know of it.
  /// - Throws: `InvalidName`.
  public static func make(name: String, scope: Scope) throws(InvalidName) -> (text: String, token: AccessToken) {
    guard isName(name) else { throw InvalidName() }
    // The system's generator, which is made for secrets.
    let random = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) })
    let text = prefix + random.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    return (text, AccessToken(name: name, scope: scope, hash: hash(of: text)))
  }

  private static let prefix = "gptqd_"

  private init(name: String, scope: Scope, hash: [UInt8]) {
    (self.name, self.scope, self.hash) = (name, scope, hash)
  }

  /// - Parameters:
  ///   - text: As `configurationLine` has it.
  ///   - entry: Number in the list, from 1.
  init(parsing text: String, entry: Int) throws(ConfigurationError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else {
      throw .invalidToken(entry: entry, name: nil, reason: "must be NAME:SCOPE:SHA256, as \"gptqd token new NAME\" prints it")
    }
    guard Self.isName(parts[0]) else {
      throw .invalidToken(entry: entry, name: nil, reason: "must begin with a name: \(InvalidName())")
    }
    guard let scope = Scope(rawValue: parts[1]) else {
      throw .invalidToken(entry: entry, name: parts[0], reason: "must have the scope read or write after its name")
    }
    guard let hash = Self.bytes(ofHexadecimal: parts[2]), hash.count == SHA256.byteCount else {
      throw .invalidToken(entry: entry, name: parts[0], reason: "must end with the token's SHA-256, 64 hexadecimal digits")
    }
    self.init(name: parts[0], scope: scope, hash: hash)
  }

  /// An entry of `auth.tokens`.
  public var configurationLine: String {
    let digits = hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "\(name):\(scope.rawValue):\(digits)"
  }

  static func hash(of text: String) -> [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }

  /// Too short for a token or a hash, which can't be taken for a name by mistake and end up in a message.
  private static func isName(_ text: String) -> Bool { text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]{0,31}/) != nil }

  private static func bytes(ofHexadecimal text: String) -> [UInt8]? {
    let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8((digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0)) }
  }

  /// A name that no token may have.
  public struct InvalidName: Error, CustomStringConvertible {
    public var description: String { "1 to 32 letters, digits, dots, hyphens and underscores, the first a letter or digit" }
  }
}

extension [AccessToken] {
  /// The entry whose token was presented. All hashes are compared in full, whatever they are: the time tells nothing of how
  /// close a guess was.
  func entry(for presented: String) -> AccessToken? {
    let hash = AccessToken.hash(of: presented)
    var found: AccessToken?
    for token in self where Self.areEqual(token.hash, hash) { found = token }
    return found
  }

  private static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    var difference = UInt8(truncatingIfNeeded: one.count ^ other.count)
    for (a, b) in zip(one, other) { difference |= a ^ b }
    return difference == 0
  }
}
