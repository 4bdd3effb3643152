import Foundation
import JobModel
import JobStore
import Logging
import Service
import Testing

@Suite struct DaemonTests {
  private static func stored(in server: TestServer) throws -> JobRepository {
    try JobRepository(database: server.folder.url.appending(path: "data/gptqd.sqlite"))
  }

  @Test func theAddressIsWrittenAndRemoved() async throws {
    try await TestServer.run { server in
      let file = server.folder.url.appending(path: "data/gptqd.url")
      #expect(try String(contentsOf: file, encoding: .utf8) == "http://127.0.0.1:\(server.port)\n")
      server.stop()
      try await server.stopped()
      #expect(!FileManager.default.fileExists(atPath: file.path))
    }
  }

  @Test func drainingIsShownAndPutsTheRunningJobBack() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("stubborn").id
      _ = await server.engine.nextStart()
      let other = try await server.submit("quick").id
      server.stop()
      #expect(await server.engine.nextRequestToStop() == id)
      #expect(try await server.send("GET", "/readyz").problem().code == .unavailable)
      #expect(try await server.send("GET", "/healthz").status == 200)
      #expect(try await server.job(id).status == .running)
      server.engine.release()
      try await server.stopped()
      let repository = try Self.stored(in: server)
      let job = try await repository.job(id)
      #expect(job?.status == .queued)
      #expect(job?.attempt == 0)
      #expect(try await repository.job(other)?.status == .queued)
    }
  }

  @Test func aHeldAnswerDoesntHoldTheDaemon() async throws {
    try await TestServer.run { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let waiting = try await server.submit("held").id
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      // The first answer shows that the connection is served; the second request waits.
      await connection.send(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/jobs/\(waiting)?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
      _ = try await connection.receive()
      server.stop()
      let answer = try #require(RawAnswer(try await connection.receiveAll()))
      #expect(try answer.decode(Job.self).id == waiting)
      try await server.stopped()
    }
  }

  @Test func aJobThatDoesntStopIsBackInTheQueueAfterTheGracePeriod() async throws {
    try await TestServer.run(["GPTQD_SHUTDOWN_GRACE_SECONDS": "0"]) { server in
      let id = try await server.submit("stubborn").id
      _ = await server.engine.nextStart()
      server.stop()
      try await server.stopped()
      let job = try await Self.stored(in: server).job(id)
      #expect(job?.status == .queued)
      #expect(job?.interruptions == [], "an end of the daemon that was asked for is no fault of the job")
    }
  }

  @Test func aSecondDaemonOnTheDataFolderIsRefused() async throws {
    try await TestServer.run { server in
      let configuration = try await TestServer.configuration(in: server.folder)
      #expect(throws: DataFolder.LockError.inUse(folder: configuration.dataFolder.path, pid: "\(getpid())")) {
        try Daemon(configuration, planner: server.engine, work: server.engine.work, logger: Logger(label: "test"))
      }
    }
  }

  @Test func anAddressInUseIsSaidAndNoJobBegins() async throws {
    try await TestServer.run { server in
      let folder = try TemporaryFolder()
      let configuration = try await TestServer.configuration(in: folder, ["GPTQD_HTTP_LISTEN": "127.0.0.1:\(server.port)"])
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let daemon = try Daemon(configuration, planner: server.engine, work: server.engine.work, logger: logger)
      let repository = try JobRepository(database: folder.url.appending(path: "data/gptqd.sqlite"))
      let request = JobRequest(model: "held", quantization: QuantizationRequest(method: .rtn))
      _ = try await repository.submit(request, layers: [], warnings: [], key: nil, now: Date())
      let error = await #expect(throws: ConfigurationError.self) { try await daemon.run() }
      #expect(error == .cannotListen(listen: "127.0.0.1:\(server.port)", reason: "Address already in use"))
      #expect(try await repository.counts() == [.queued: 1])
    }
  }

  @Test func aHostThatDoesntExistIsSaid() async throws {
    let folder = try TemporaryFolder()
    let configuration = try await TestServer.configuration(
      in: folder, ["GPTQD_HTTP_LISTEN": "host.invalid:80", "GPTQD_AUTH_TOKENS": "me:read:" + String(repeating: "0", count: 64)])
    let engine = FakeEngine()
    let daemon = try Daemon(
      configuration, planner: engine, work: engine.work, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let error = await #expect(throws: ConfigurationError.self) { try await daemon.run() }
    #expect(error?.description.contains("host.invalid:80") == true)
  }
}
