import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct DiagnosisTests {
  /// Answers of a daemon that is well, but for what a test changes.
  private struct Daemon: Sendable {
    var health = LocalServer.Answer.json(#"{"status":"ok"}"#)
    var readiness = LocalServer.Answer.json(#"{"status":"ok"}"#)
    var description = LocalServer.Answer.json(#"{"info":{"version":"0.1.0"}}"#)
    var date = HTTPDates.text(Date())
    var status = ServerStatus(
      version: "0.1.0", time: Date(), draining: false, access: nil, jobs: .init([.queued: 1, .running: 1]),
      limits: .init(queuedJobs: 2, bodyBytes: 1, workers: 1, threads: 2, memoryBytes: 8 << 30), freeDiskBytes: 2 << 30,
      availableMemoryBytes: 9 << 30)
    /// Instead of the status.
    var refusal: Problem?
    var models = #"{"object":"list","data":[{"name":"a"},{"name":"b"}],"has_more":false}"#

    func answer(_ request: LocalServer.Request) -> LocalServer.Answer {
      var answer = body(request)
      answer.headers["Date"] = date
      return answer
    }

    private func body(_ request: LocalServer.Request) -> LocalServer.Answer {
      switch request.target {
      case "/healthz": return health
      case "/readyz": return readiness
      case "/openapi.json": return description
      case "/v1/models": return .json(models)
      case "/v1/server":
        if let refusal { return LocalServer.Answer(status: refusal.status, body: (try? APICoding.encode(refusal)) ?? Data()) }
        return LocalServer.Answer(body: (try? APICoding.encode(status)) ?? Data())
      default: return .json("{}", status: 404)
      }
    }
  }

  private enum HTTPDates {
    static func text(_ date: Date) -> String {
      let format = DateFormatter()
      format.locale = Locale(identifier: "en_US_POSIX")
      format.timeZone = .gmt
      format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
      return format.string(from: date)
    }
  }

  private static func findings(
    at address: String, token: String? = nil, environment: [String: String] = [:]
  ) async -> [Finding] {
    var findings: [Finding] = []
    for await finding in Diagnosis(address: address, source: "--url", token: token, environment: environment, patience: 5).findings() {
      findings.append(finding)
    }
    return findings
  }

  private static func findings(_ daemon: Daemon, token: String? = nil, environment: [String: String] = [:]) async throws -> [Finding] {
    let server = try LocalServer { daemon.answer($0) }
    return await findings(at: server.url, token: token, environment: environment)
  }

  @Test func aDaemonThatIsWellPassesAllChecks() async throws {
    let findings = try await Self.findings(Daemon())
    #expect(
      findings.map(\.name) == [
        "address", "name", "connection", "answer", "version", "clock", "readiness", "token", "queue", "disk", "memory", "models",
      ])
    #expect(findings.filter { !$0.passed } == [])
    #expect(findings.allSatisfy { $0.text.hasPrefix("✓ \($0.name): ") })
  }

  /// The way to the server ends at the first thing that is wrong with it.
  @Test(
    arguments: [
      ("127.0.0.1:8790", "address", "is not an address"), ("http://", "address", "is not an address"), ("ftp://x", "address", "--url"),
      ("http://nowhere.invalid:1", "name", "can't be resolved"), ("http://127.0.0.1:1", "connection", "refused"),
      ("http://[::1]:1", "connection", "port 1"),
    ])
  func whatIsWrongOnTheWayIsNamed(address: String, name: String, detail: String) async throws {
    let last = try #require(await Self.findings(at: address).last)
    #expect(!last.passed && last.name == name && last.detail.contains(detail), "\(last.text)")
    #expect(last.advice?.isEmpty == false)
    #expect(last.text.contains("\n  → "))
  }

  private struct Fault: Sendable {
    let name: String
    let detail: String
    var token: String?
    let change: @Sendable (inout Daemon) -> Void
  }

  private static func refusal(_ code: Problem.Code, _ status: Int) -> Problem { Problem(code, status: status, title: "t", detail: "d") }

  private static let faults = [
    Fault(name: "answer", detail: "status 200, Server: nginx") {
      $0.health = .init(headers: ["Server": "nginx"], body: Data("hello".utf8))
    },
    Fault(name: "answer", detail: "its own machine only") { daemon in
      daemon.health = .init(status: 421, body: (try? APICoding.encode(refusal(.misdirectedRequest, 421))) ?? Data())
    },
    Fault(name: "version", detail: "the server is 9.1.0, this client 0.1.0") { $0.description = .json(#"{"info":{"version":"9.1.0"}}"#) },
    Fault(name: "version", detail: "no /openapi.json") { $0.description = .json("{}", status: 404) },
    Fault(name: "clock", detail: "1 h 0 min ahead of") { $0.date = HTTPDates.text(Date() + 3640) },
    Fault(name: "clock", detail: "behind") { $0.date = HTTPDates.text(Date() - 86_400) },
    Fault(name: "readiness", detail: "stopping") { $0.readiness = .json("{}", status: 503) },
    Fault(name: "token", detail: "none is set") { $0.refusal = refusal(.unauthorized, 401) },
    Fault(name: "token", detail: "doesn't know it", token: "x") { $0.refusal = refusal(.unauthorized, 401) },
    Fault(name: "token", detail: "too many wrong ones", token: "x") { $0.refusal = refusal(.tooManyRequests, 429) },
    Fault(name: "token", detail: "a line's end", token: "gptqd_x\n") { _ in },
    Fault(name: "token", detail: "reader may only read", token: "x") { $0.status.access = .init(name: "reader", mayWrite: false) },
    Fault(name: "queue", detail: "2 of 2 waiting") { $0.status.jobs.queued = 2 },
    Fault(name: "disk", detail: "1.0 MiB free") { $0.status.freeDiskBytes = 1 << 20 },
    Fault(name: "memory", detail: "1.0 GiB available; jobs may have 8.0 GiB") { daemon in
      (daemon.status.jobs.running, daemon.status.availableMemoryBytes) = (0, 1 << 30)
    },
    Fault(name: "memory", detail: "1.0 MiB available") { $0.status.availableMemoryBytes = 1 << 20 },
    Fault(name: "models", detail: "there are none") { $0.models = #"{"object":"list","data":[],"has_more":false}"# },
  ]

  @Test(arguments: faults.indices)
  func whatIsWrongWithTheServerIsNamed(index: Int) async throws {
    let fault = Self.faults[index]
    var daemon = Daemon()
    fault.change(&daemon)
    let wrong = try await Self.findings(daemon, token: fault.token).filter { !$0.passed }
    #expect(wrong.map(\.name) == [fault.name], "\(wrong.map(\.text))")
    #expect(wrong.first?.detail.contains(fault.detail) == true, "\(wrong.map(\.text))")
    #expect(wrong.first?.advice?.isEmpty == false)
  }

  @Test func aRunningJobMayHaveTheMemory() async throws {
    var daemon = Daemon()
    daemon.status.availableMemoryBytes = 1 << 30
    #expect(try await Self.findings(daemon).allSatisfy(\.passed))
  }

  @Test func aProxyForThisMachineIsWrong() async throws {
    let findings = try await Self.findings(Daemon(), environment: ["http_proxy": "http://me:secret@proxy:3128"])
    let wrong = findings.filter { !$0.passed }
    #expect(wrong.map(\.name) == ["proxy"])
    #expect(wrong.first?.detail.contains("proxy:3128") == true && wrong.first?.detail.contains("secret") == false)
  }

  @Test(
    arguments: [
      ("http://a:1", ["http_proxy": "p"], "p"), ("http://a:1", ["HTTP_PROXY": "p"], nil), ("https://a", ["HTTPS_PROXY": "p"], "p"),
      ("https://a", ["http_proxy": "p"], nil), ("http://a", ["ALL_PROXY": "socks5://u:v@p:1"], "p:1"),
      ("http://a.b", ["http_proxy": "p", "no_proxy": "c, b"], nil), ("http://a.b", ["http_proxy": "p", "NO_PROXY": ".b"], nil),
      ("http://ab", ["http_proxy": "p", "no_proxy": "b"], "p"), ("http://a", ["http_proxy": "p", "no_proxy": "*"], nil),
      ("http://[::1]:80", ["http_proxy": "p", "no_proxy": "[::1]"], nil), ("http://a", ["http_proxy": ""], nil),
    ] as [(String, [String: String], String?)])
  func proxiesAreThoseOfCurl(address: String, environment: [String: String], proxy: String?) throws {
    let url = try #require(URL(string: address))
    let endpoint = try #require(Endpoint(url))
    #expect(ProxySettings(environment).proxy(for: endpoint, scheme: url.scheme ?? "")?.text == proxy)
  }
}
