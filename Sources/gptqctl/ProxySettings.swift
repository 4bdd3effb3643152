import Foundation

/// The proxies that the environment names, by the rules of libcurl, which Foundation's requests go by.
package struct ProxySettings {
  package struct Proxy: Equatable {
    package let variable: String
    /// Without user and password.
    package let text: String
  }

  private let environment: [String: String]

  package init(_ environment: [String: String]) { self.environment = environment }

  /// nil: requests go straight to the host.
  package func proxy(for endpoint: Endpoint, scheme: String) -> Proxy? {
    guard !isExempt(endpoint.host) else { return nil }
    // HTTP_PROXY can be set by a web client of a CGI program, so it doesn't count.
    let variables = scheme == "http" ? ["http_proxy", "all_proxy", "ALL_PROXY"] : ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    for variable in variables {
      guard let value = environment[variable], !value.isEmpty else { continue }
      let afterUser = value.lastIndex(of: "@").map { value[value.index(after: $0)...] }
      return Proxy(variable: variable, text: afterUser.map(String.init) ?? value)
    }
    return nil
  }

  private func isExempt(_ host: String) -> Bool {
    let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
    if list.trimmingCharacters(in: .whitespaces) == "*" { return true }
    let host = host.lowercased()
    return list.split { $0 == "," || $0 == " " }.contains { entry in
      var name = entry.lowercased()
      if name.hasPrefix(".") { name.removeFirst() }
      name = name.trimmingCharacters(in: ["[", "]"])
      return host == name || host.hasSuffix("." + name)
    }
  }
}
