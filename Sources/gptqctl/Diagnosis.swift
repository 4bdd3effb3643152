import Foundation
import JobModel

/// Looks for what is wrong between this client and a server: from the address on, each thing after those that it needs.
package struct Diagnosis: Sendable {
  let address: String
  /// Where the address comes from, such as "GPTQD_URL".
  let source: String
  let token: String?
  let environment: [String: String]
  /// Seconds that a connection or an answer may take.
  let patience: Int

  package init(
    address: String, source: String, token: String?, environment: [String: String] = ProcessInfo.processInfo.environment, patience: Int = 10
  ) {
    self.address = address
    self.source = source
    self.token = token
    self.environment = environment
    self.patience = patience
  }

  /// What is found, as it is found; ends where nothing more can be found out.
  package func findings() -> AsyncStream<Finding> {
    AsyncStream { continuation in
      let task = Task {
        await run { continuation.yield($0) }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  private func run(_ report: (Finding) -> Void) async {
    guard let client = try? APIClient(url: address, token: token, patience: patience), let endpoint = Endpoint(client.base) else {
      return report(
        .wrong(
          "address", "\(address) (\(source)) is not an address of a server",
          advice: "Give http:// or https://, a host and a port, such as http://127.0.0.1:8790, with --url or GPTQD_URL."))
    }
    report(.right("address", "\(client.base.absoluteString) (\(source))"))
    let proxy = ProxySettings(environment).proxy(for: endpoint, scheme: client.base.scheme ?? "http")
    if let proxy {
      report(self.finding(proxy, endpoint))
    } else {
      for check in [name, connection] {
        let finding = await check(endpoint)
        report(finding)
        if !finding.passed { return }
      }
    }
    await ServerExamination(client: client, token: token, isProxied: proxy != nil).run(report)
  }

  private func finding(_ proxy: ProxySettings.Proxy, _ endpoint: Endpoint) -> Finding {
    guard endpoint.isLoopback else { return .right("proxy", "requests go through \(proxy.text) (\(proxy.variable))") }
    return .wrong(
      "proxy", "requests to this machine go through \(proxy.text) (\(proxy.variable)), for which \(endpoint.host) is another machine",
      advice: "Set no_proxy to localhost,127.0.0.1,::1.")
  }

  private func name(_ endpoint: Endpoint) async -> Finding {
    switch await endpoint.resolve() {
    case .success(let addresses):
      return .right(
        "name", addresses == [endpoint.host] ? "is an address already" : "\(endpoint.host) is \(addresses.joined(separator: ", "))")
    case .failure(let error):
      return .wrong(
        "name", "\(endpoint.host) can't be resolved: \(error.reason)", advice: "Check its spelling, /etc/hosts and the name server.")
    }
  }

  private func connection(_ endpoint: Endpoint) async -> Finding {
    switch await endpoint.connect(seconds: patience) {
    case .success(let address): return .right("connection", "\(address) port \(endpoint.port) takes connections")
    case .failure(let error):
      let advice =
        if error.code == ECONNREFUSED {
          "Start the daemon there (gptqd serve, systemctl status gptqd), and compare the port with its http.listen. One without tokens "
            + "listens on the loopback address only."
        } else {
          "Is the machine on? A firewall may drop what is sent to port \(endpoint.port); ssh -L \(endpoint.port):127.0.0.1:\(endpoint.port) "
            + "\(endpoint.host) makes a way around it."
        }
      return .wrong("connection", "\(endpoint.host) port \(endpoint.port): \(error.reason)", advice: advice)
    }
  }
}
