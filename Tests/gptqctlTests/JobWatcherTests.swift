import Foundation
import JobModel
import StrictJSON
import Synchronization
import Testing
import gptqctl

@Suite struct JobWatcherTests {
  private static let id = JobID("01ARZ3NDEKTSV4RRFFQ69G5FAV")!

  private static func job(_ status: JobStatus, version: Int = 1) -> Job {
    var job = Job(id: id, request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 0))
    (job.status, job.version) = (status, version)
    return job
  }

  private static func text(_ value: some Encodable) -> String {
    (try? APICoding.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private static func warning(_ number: Int) -> JobEvent {
    JobEvent(sequence: number, job: id, kind: .warning, at: Date(timeIntervalSince1970: 0), data: ["message": .string("number \(number)")])
  }

  private static func stream(_ status: JobStatus, _ numbers: ClosedRange<Int>, end: String?) -> LocalServer.Answer {
    let events = numbers.map { "id: \($0)\nevent: warning\ndata: \(text(warning($0)))\n\n" }.joined()
    let ending = end.map { "event: end\ndata: {\"reason\":\"\($0)\"}\n\n" } ?? ""
    let body = "retry: 1\n\nevent: job\ndata: \(text(job(status)))\n\n: heartbeat\n\n\(events)\(ending)"
    return .init(headers: ["Content-Type": "text/event-stream"], body: Data(body.utf8))
  }

  private final class Screen: Sendable {
    private let text = Mutex("")
    private let said = Mutex<[String]>([])
    var lines: [String] { text.withLock { $0.split(separator: "\n").map(String.init) } }
    var notes: [String] { said.withLock { $0 } }
    func show(_ more: String) { text.withLock { $0 += more } }
    func note(_ line: String) { said.withLock { $0.append(line) } }
  }

  private static func watch(_ server: LocalServer, json: Bool = false) async throws -> Screen {
    let screen = Screen()
    let display = WatchDisplay(json: json, isInteractive: false, show: screen.show)
    try await JobWatcher(client: APIClient(url: server.url, token: "t"), id: id, display: display, note: screen.note).run()
    return screen
  }

  @Test("What broke is gone on with after the last event, and each event is shown once")
  func resumption() async throws {
    let tries = Mutex(0)
    let server = try LocalServer { request in
      switch request.headers["last-event-id"] {
      case "0": Self.stream(.running, 1...3, end: nil)
      case "3": Self.stream(.running, 4...5, end: "draining")
      case "5"
      where tries.withLock({ tries in
        tries += 1
        return tries < 3
      }): .init(status: 502)
      default: Self.stream(.succeeded, 5...6, end: "ended")
      }
    }
    let screen = try await Self.watch(server)
    #expect(screen.lines.filter { $0.hasPrefix("warning") } == (1...6).map { "warning: number \($0)" })
    #expect(
      screen.notes.prefix(3) == [
        "the connection broke; connecting again", "connected again", "the daemon is stopping; waiting for it to come back",
      ])
    #expect(server.requests.allSatisfy { $0.headers["accept"] == "text/event-stream" && $0.headers["authorization"] == "Bearer t" })
  }

  @Test("The job's end ends the watching")
  func end() async throws {
    let server = try LocalServer { _ in Self.stream(.succeeded, 1...2, end: "ended") }
    let screen = try await Self.watch(server)
    #expect(screen.lines.contains("warning: number 2"))
    #expect(screen.lines.contains { $0.contains("succeeded") })
    #expect(screen.notes.isEmpty)
    let failing = try LocalServer { _ in Self.stream(.failed, 1...1, end: "ended") }
    let error = await #expect(throws: ClientError.self) { _ = try await Self.watch(failing) }
    #expect(error?.exitStatus == 1)
  }

  @Test("Programs get a job document for each notice of progress")
  func documents() async throws {
    let body = """
      event: job\ndata: \(Self.text(Self.job(.running)))\n
      event: progress\ndata: {"version":9,"status":"running","stage":"quantizing","progress":{"done":3,"total":4,"fraction":0.5}}\n
      event: job\ndata: \(Self.text(Self.job(.succeeded, version: 10)))\n
      event: end\ndata: {"reason":"ended"}\n\n
      """
    let server = try LocalServer { _ in .init(headers: ["Content-Type": "text/event-stream"], body: Data(body.utf8)) }
    let jobs = try await Self.watch(server, json: true).lines.map { try APICoding.decode(Job.self, from: Data($0.utf8)) }
    #expect(jobs.map(\.version) == [1, 9, 10])
    #expect(jobs[1].progress?.done == 3 && jobs[1].stage == .quantizing)
  }

  @Test("Without a stream, the job is asked for", arguments: [true, false])
  func polling(isOlder: Bool) async throws {
    let busy = Self.text(Problem(.tooManyRequests, status: 429, title: "The daemon has too much to do", detail: "all streams are in use"))
    let server = try LocalServer { request in
      if request.headers["accept"] == "text/event-stream", !isOlder { return .json(busy, status: 429) }
      if request.target.contains("/events") {
        let after = request.target.split(separator: "after=").dropFirst().first.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        return .json(Self.text(APIList(data: after < 2 ? [Self.warning(1), Self.warning(2)] : [])))
      }
      return .init(
        headers: ["ETag": "\"1\""], body: Data(Self.text(Self.job(request.target.hasSuffix("wait=0") ? .running : .succeeded)).utf8))
    }
    let screen = try await Self.watch(server)
    #expect(screen.lines.filter { $0.hasPrefix("warning") } == ["warning: number 1", "warning: number 2"])
  }

  @Test("What isn't a stream of gptqd's ends the watching", arguments: ["event: job\ndata: {}\n\n", "event: job\ndata: x\n\n"])
  func nonsense(body: String) async throws {
    let server = try LocalServer { _ in .init(headers: ["Content-Type": "text/event-stream"], body: Data(body.utf8)) }
    let error = await #expect(throws: ClientError.self) { _ = try await Self.watch(server) }
    #expect(error?.exitStatus == 3)
  }

  @Test("Who may not watch is told so", arguments: [401, 403, 404])
  func refusal(status: Int) async throws {
    let problem = Self.text(Problem(.unauthorized, status: status, title: "No", detail: "not for you"))
    let server = try LocalServer { _ in .json(problem, status: status) }
    let error = await #expect(throws: ClientError.self) { _ = try await Self.watch(server) }
    #expect(error?.description == "No: not for you")
    #expect(server.requests.count == 1)
  }
}
