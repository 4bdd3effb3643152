import Foundation
import JobModel
import Logging
import Service
import ServiceLifecycleTestKit
import StrictJSON
import Testing

/// A daemon on a free port, with a fake engine and roots that hold the engine's models.
struct TestServer: Sendable {
  let port: Int
  let folder: TemporaryFolder
  let engine: FakeEngine
  /// Such as "GET /v1/jobs/:id".
  let endpoints: [String]
  /// Of each endpoint; nil: any.
  let queryParameters: [String: Set<String>?]
  /// Asks the daemon to stop, as SIGTERM does.
  let stop: @Sendable () -> Void
  /// Returns when the daemon has stopped.
  let stopped: @Sendable () async throws -> Void

  /// Runs `body` with a daemon that is stopped afterwards.
  ///
  /// - Parameters:
  ///   - settings: Of the environment, besides those for folders and address.
  ///   - folder: nil: a new one.
  ///   - configure: Changes what has no setting.
  static func run(
    _ settings: [String: String] = [:], in folder: TemporaryFolder? = nil, configure: (inout ServiceConfiguration) -> Void = { _ in },
    _ body: (TestServer) async throws -> Void
  ) async throws {
    let folder = try folder ?? TemporaryFolder()
    for model in ["quick", "held", "stubborn", "unlucky", "broken", "unplannable"] {
      try folder.write("models/\(model)/config.json", Data("{}".utf8))
    }
    try folder.write("models/failure.safetensors")
    try folder.write("datasets/text.jsonl")
    let engine = FakeEngine()
    var configuration = try await configuration(in: folder, settings)
    configure(&configuration)
    let settled = configuration
    try await testGracefulShutdown { trigger in
      let daemon = try Daemon(
        settled, planner: engine, work: engine.work, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let (urls, found) = AsyncStream.makeStream(of: String.self)
      let running = Task {
        defer { found.finish() }
        try await daemon.run { found.yield($0) }
      }
      var url: String?
      for await text in urls {
        url = text
        break
      }
      guard let url, let port = url.split(separator: ":").last.flatMap({ Int($0) }) else { return try await running.value }
      let server = TestServer(
        port: port, folder: folder, engine: engine, endpoints: daemon.endpoints, queryParameters: daemon.queryParameters,
        stop: { trigger.triggerGracefulShutdown() },
        stopped: { try await running.value })
      try await body(server)
      for _ in 0..<8 { engine.release() }
      server.stop()
      try await running.value
    }
  }

  static func configuration(in folder: TemporaryFolder, _ settings: [String: String] = [:]) async throws -> ServiceConfiguration {
    let file = try folder.write("gptqd.yaml", Data("log: {level: info}".utf8))
    let fixed = [
      "GPTQD_HTTP_LISTEN": "127.0.0.1:0", "GPTQD_DATA_FOLDER": folder.url.appending(component: "data").path,
      "GPTQD_MODELS_ROOTS": folder.url.appending(component: "models").path,
      "GPTQD_DATASETS_ROOTS": folder.url.appending(component: "datasets").path,
    ]
    return try await ServiceConfiguration(file: file.path, environment: fixed.merging(settings) { $1 })
  }

  /// Sends a request on a connection of its own.
  func send(_ method: String, _ path: String, _ headers: [String: String] = [:], body: Data? = nil) async throws -> RawAnswer {
    var headers = headers
    if let body { headers["Content-Length"] = headers["Content-Length"] ?? "\(body.count)" }
    let host = headers["Host"] == nil ? "Host: localhost\r\n" : ""
    let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    let connection = try RawConnection(port: port)
    defer { connection.close() }
    await connection.send("\(method) \(path) HTTP/1.1\r\n\(host)Connection: close\r\n\(fields)\r\n")
    if let body { await connection.send(body) }
    return try #require(RawAnswer(try await connection.receiveAll()))
  }

  func post(_ json: String, _ headers: [String: String] = [:]) async throws -> RawAnswer {
    try await send("POST", "/v1/jobs", ["Content-Type": "application/json"].merging(headers) { $1 }, body: Data(json.utf8))
  }

  /// A job of the named model that needs no data.
  func submit(_ model: String) async throws -> Job {
    let answer = try await post(#"{"model":"\#(model)","quantization":{"method":"rtn"}}"#)
    try #require(answer.status == 202)
    return try answer.decode(Job.self)
  }

  func job(_ id: JobID) async throws -> Job { try await send("GET", "/v1/jobs/\(id)").decode(Job.self) }

  /// The job once it has ended.
  func ended(_ id: JobID) async throws -> Job {
    while true {
      let job = try await send("GET", "/v1/jobs/\(id)?wait=20").decode(Job.self)
      if job.status.isEnded { return job }
    }
  }

  func succeededJob() async throws -> Job {
    let job = try await ended(submit("quick").id)
    try #require(job.status == .succeeded)
    return job
  }
}

extension RawAnswer {
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try APICoding.decode(type, from: body) }

  /// The body of an error; checks what all of them have.
  func problem(_ location: SourceLocation = #_sourceLocation) throws -> Problem {
    #expect(headers["content-type"] == "application/problem+json", sourceLocation: location)
    let problem = try decode(Problem.self)
    #expect(problem.status == status, sourceLocation: location)
    #expect(problem.type == "about:blank#" + problem.code.rawValue, sourceLocation: location)
    #expect(!problem.title.isEmpty && !problem.detail.isEmpty && problem.instance != nil, sourceLocation: location)
    return problem
  }
}
