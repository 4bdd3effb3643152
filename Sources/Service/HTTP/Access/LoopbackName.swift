/// Names and addresses that lead to this machine only.
enum LoopbackName {
  /// - Parameter host: Without a port; an IPv6 address without brackets.
  static func isLoopback(_ host: some StringProtocol) -> Bool {
    let host = host.lowercased()
    let octets = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return host == "localhost" || host == "::1" || octets.count == 4 && octets[0] == 127 && !octets.contains(nil)
  }

  /// - Parameter authority: Of a `Host` field: a host and perhaps a port. Names below localhost are this machine too (RFC 6761).
  static func isLoopback(authority: String) -> Bool {
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return false }
      return isLoopback(authority[authority.index(after: authority.startIndex)..<end])
    }
    let host = authority.prefix { $0 != ":" }
    return isLoopback(host) || host.lowercased().hasSuffix(".localhost")
  }
}
