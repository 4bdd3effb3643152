import Foundation
import JobModel

/// What a server's answers tell: whether it is gptqd, takes this client's token, and can do work.
struct ServerExamination: Sendable {
  let client: APIClient
  let token: String?
  let isProxied: Bool

  private static let everyStatus = Set(100...599)

  func run(_ report: (Finding) -> Void) async {
    let health: APIClient.Answer
    do {
      health = try await client.send("GET", "/healthz", allowing: Self.everyStatus)
    } catch {
      return report(
        .wrong(
          "answer", "\(error)",
          advice: isProxied
            ? "Ask for the server without the proxy: no_proxy." : "Something takes connections there and doesn't answer HTTP."))
    }
    let identity = identity(health)
    report(identity)
    guard identity.passed else { return }
    report(await version())
    if let clock = clock(health, now: Date()) { report(clock) }
    report(await readiness())
    let (access, status) = await access()
    report(access)
    guard let status else { return }
    for finding in Self.resources(status) { report(finding) }
    for kind in ["models", "datasets"] {
      if let finding = await stock(of: kind) { report(finding) }
    }
  }

  private func identity(_ health: APIClient.Answer) -> Finding {
    let problem = try? APICoding.decode(Problem.self, from: health.body)
    if problem?.code == .misdirectedRequest {
      return .wrong(
        "answer", "gptqd there has no tokens, so it answers its own machine only",
        advice:
          "Use an address such as http://127.0.0.1:\(client.base.port ?? 80), through ssh -L from elsewhere; or give the daemon auth.tokens."
      )
    }
    guard health.status == 200, (try? APICoding.decode([String: String].self, from: health.body))?["status"] == "ok" else {
      let server = health.headers["server"].map { ", Server: \($0)" } ?? ""
      return .wrong(
        "answer", "GET /healthz: status \(health.status)\(server); that isn't gptqd's answer",
        advice: "Is it another program's port, or a proxy in between that has no way to the daemon?")
    }
    return .right("answer", "gptqd lives")
  }

  private struct Description: Decodable {
    struct Info: Decodable { let version: String }
    let info: Info
  }

  /// By the description of the API, for which no token is needed.
  private func version() async -> Finding {
    let answer = try? await client.send("GET", "/openapi.json", allowing: Self.everyStatus)
    guard let answer, let server = (try? JSONDecoder().decode(Description.self, from: answer.body))?.info.version else {
      return .wrong(
        "version", "the server has no /openapi.json; this client is \(GPTQCtl.version)",
        advice: "Install the client's version of gptqd there.")
    }
    guard server == GPTQCtl.version else {
      return .wrong(
        "version", "the server is \(server), this client \(GPTQCtl.version)", advice: "Install the same version on both sides.")
    }
    return .right("version", "\(server), as this client")
  }

  /// nil where the answer has no date.
  func clock(_ answer: APIClient.Answer, now: Date) -> Finding? {
    guard let date = answer.headers["date"].flatMap(Self.date) else { return nil }
    let skew = Int(date.timeIntervalSince(now).rounded())
    guard abs(skew) > 30 else { return .right("clock", "the server's is within \(max(1, abs(skew))) s of this machine's") }
    return .wrong(
      "clock", "the server's is \(Formatting.duration(Double(abs(skew)))) \(skew > 0 ? "ahead of" : "behind") this machine's",
      advice: "Set both by NTP (timedatectl); the times of jobs and certificates are judged by them.")
  }

  /// IMF-fixdate of RFC 9110, section 5.6.7.
  private static func date(_ text: String) -> Date? {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = .gmt
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    return format.date(from: text)
  }

  private func readiness() async -> Finding {
    guard let answer = try? await client.send("GET", "/readyz", allowing: Self.everyStatus), answer.status == 200 else {
      return .wrong(
        "readiness", "the daemon is stopping", advice: "Wait until it runs again; its jobs are put back into the queue, none is lost.")
    }
    return .right("readiness", "takes work")
  }

  /// - Returns: The daemon's status too, where the client may see it.
  private func access() async -> (Finding, ServerStatus?) {
    if let token, token.contains(where: { $0.isWhitespace || !$0.isASCII || $0 == "\"" }) {
      return (
        .wrong(
          "token", "it has a space, a line's end or a quotation mark in it",
          advice: "Set GPTQD_TOKEN to what gptqd token new NAME printed on standard output, and nothing else."), nil
      )
    }
    do {
      let status = try await client.get(ServerStatus.self, "/v1/server")
      return (Self.finding(status.access, hasToken: token != nil), status)
    } catch ClientError.refused(let problem) {
      return (refusal(problem), nil)
    } catch {
      return (.wrong("token", "\(error)", advice: "Is a proxy in between?"), nil)
    }
  }

  private static func finding(_ access: ServerStatus.Access?, hasToken: Bool) -> Finding {
    guard let access else { return .right("token", "none is needed" + (hasToken ? "; the one that was sent is ignored" : "")) }
    guard access.mayWrite else {
      return .wrong(
        "token", "\(access.name) may only read: no submit, cancel, retry, push or delete",
        advice: "To change anything, use a token that gptqd token new NAME --scope write made.")
    }
    return .right("token", "\(access.name), may do everything")
  }

  private func refusal(_ problem: Problem) -> Finding {
    switch problem.code {
    case .unauthorized where token == nil:
      .wrong(
        "token", "the server needs one, and none is set",
        advice: "Set GPTQD_TOKEN, or give --token; on the server, gptqd token new NAME makes one for auth.tokens.")
    case .unauthorized:
      .wrong(
        "token", "the server doesn't know it",
        advice: "Compare it with auth.tokens (its SHA-256 is there), and restart the daemon after a change of that.")
    case .tooManyRequests:
      .wrong("token", "too many wrong ones came from this address", advice: "Set the right one, which is taken at once, or wait a minute.")
    case .routeNotFound:
      .wrong("token", "the server has no /v1/server", advice: "It is older than this client: install the same version on both sides.")
    default: .wrong("token", problem.description, advice: "See the daemon's log.")
    }
  }
}
