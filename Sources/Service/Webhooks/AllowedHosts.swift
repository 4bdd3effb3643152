import JobModel

/// Hosts that jobs may send webhooks to, as the operator lists them.
///
/// A name is the operator's word for whatever it resolves to: addresses aren't looked at, so whoever controls a listed name's DNS
/// decides which machine gets the messages.
public struct AllowedHosts: Sendable, Hashable {
  struct Entry: Sendable, Hashable {
    let host: NetworkHost
    /// Any name below the host, and not the host itself.
    let isBelow: Bool
    /// nil: any.
    let port: Int?

    /// - Parameter text: A name, `*.` and a name, an address; with a colon and a port or without.
    /// - Throws: `WebhookURL.Invalid`.
    init(_ text: String) throws(WebhookURL.Invalid) {
      isBelow = text.hasPrefix("*.")
      // Read like the URLs that it is compared with.
      let url = try WebhookURL("http://" + (isBelow ? String(text.dropFirst(2)) : text))
      guard url.target == "/", !text.contains("/"), !text.contains("?") else { throw WebhookURL.Invalid.notHost }
      let hasPort = url.port != 80 || text.hasSuffix(":80")
      (host, port) = (url.host, hasPort ? url.port : nil)
      if isBelow {
        guard case .name = host else { throw WebhookURL.Invalid.notHost }
      }
    }

    func allows(_ url: WebhookURL) -> Bool {
      guard port == nil || port == url.port else { return false }
      guard isBelow, case .name(let parent) = host, case .name(let name) = url.host else { return !isBelow && host == url.host }
      return name.hasSuffix("." + parent)
    }
  }

  private let entries: [Entry]

  init(_ entries: [Entry] = []) { self.entries = entries }

  package func allow(_ url: WebhookURL) -> Bool { entries.contains { $0.allows(url) } }

  /// - Throws: `Problem` (422) for a request whose webhook goes to another host.
  func check(_ request: JobRequest) throws(Problem) {
    guard let url = request.webhook?.url, !allow(url) else { return }
    throw Problem.invalidRequest([
      .init(
        pointer: "/webhook/url",
        detail: "goes to \(url.authority), which webhooks.allowed_hosts (GPTQD_WEBHOOKS_ALLOWED_HOSTS) of this server "
          + (entries.isEmpty ? "doesn't have: it is empty, so that there are no webhooks" : "doesn't have")
          + "; ask its operator to add the host")
    ])
  }
}

extension WebhookURL.Invalid {
  fileprivate static var notHost: WebhookURL.Invalid { WebhookURL.Invalid("must be a host, *.domain or address, perhaps with :port") }
}

extension ConfigurationValues {
  func allowedHosts() throws(ConfigurationError) -> AllowedHosts {
    var entries: [AllowedHosts.Entry] = []
    for text in list(.allowedWebhookHosts) {
      do {
        entries.append(try AllowedHosts.Entry(text))
      } catch {
        throw .invalidValue(
          key: ConfigurationKey.allowedWebhookHosts.rawValue, value: text,
          expected: "hosts as hooks.example.com, *.example.com, 192.0.2.1:8080 or [2001:db8::1]; this one \(error)")
      }
    }
    return AllowedHosts(entries)
  }
}
