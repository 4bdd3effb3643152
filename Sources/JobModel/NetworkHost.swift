import Foundation

/// A host by name or address, in its only spelling.
public enum NetworkHost: Sendable, Hashable, CustomStringConvertible {
  /// In lower case.
  case name(String)
  case ipv4(String)
  /// Compressed as RFC 5952 has it, without brackets.
  case ipv6(String)

  /// - Parameter text: An IPv6 address in brackets.
  /// - Throws: `WebhookURL.Invalid`.
  public init(_ text: some StringProtocol) throws(WebhookURL.Invalid) {
    let text = text.lowercased()
    if text.hasPrefix("["), text.hasSuffix("]") {
      self = .ipv6(try Self.ipv6(String(text.dropFirst().dropLast())))
    } else if let last = text.split(separator: ".", omittingEmptySubsequences: false).last, Self.isNumber(last) {
      // Programs differ in what such as 0x7f.1, 127.1 or 2130706433 means.
      self = .ipv4(try Self.ipv4(text))
    } else {
      self = .name(try Self.name(text))
    }
  }

  private static func isNumber(_ label: Substring) -> Bool {
    guard let first = label.utf8.first, (0x30...0x39).contains(first) else { return false }
    return label.allSatisfy { $0.isASCII && $0.isNumber } || label.hasPrefix("0x")
  }

  private static func name(_ text: String) throws(WebhookURL.Invalid) -> String {
    guard !text.isEmpty else { throw .init("has no host") }
    guard !text.hasSuffix(".") else { throw .init("must not have a dot after the host") }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    let isName =
      text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
          && label.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
      }
    guard isName else { throw .init("has the host \(text.prefix(80)), which is no name of letters, digits, dashes and dots") }
    return text
  }

  private static func ipv4(_ text: String) throws(WebhookURL.Invalid) -> String {
    let octets = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard octets.count == 4, !octets.contains(nil), octets.compactMap({ $0.map(String.init) }).joined(separator: ".") == text else {
      throw .init("has the host \(text.prefix(80)); an address must be four decimal numbers from 0 to 255 without leading zeros")
    }
    return text
  }

  private static func ipv6(_ text: String) throws(WebhookURL.Invalid) -> String {
    var address = in6_addr()
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard text.utf8.allSatisfy({ $0 != 0 }), unsafe inet_pton(AF_INET6, text, &address) == 1,
      unsafe inet_ntop(AF_INET6, &address, &buffer, socklen_t(buffer.count)) != nil,
      let canonical = String(validating: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    else { throw .init("has the host [\(text.prefix(80))], which is no IPv6 address without a zone") }
    return canonical
  }

  public var description: String {
    switch self {
    case .name(let text), .ipv4(let text): text
    case .ipv6(let text): "[\(text)]"
    }
  }
}
