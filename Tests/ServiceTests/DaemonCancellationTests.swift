import Foundation
import JobModel
import JobStore
import Logging
import Service
import Testing

/// A daemon whose task is cancelled stops as one that is asked to: what it returns from is over.
@Suite struct DaemonCancellationTests {
  private static func daemon(in folder: TemporaryFolder, _ engine: FakeEngine, _ settings: [String: String] = [:]) async throws -> Daemon {
    try folder.write("models/held/config.json", Data("{}".utf8))
    try folder.write("models/stubborn/config.json", Data("{}".utf8))
    return try Daemon(
      try await TestServer.configuration(in: folder, settings), planner: engine, work: engine.work,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  private struct Stopped {
    let port: Int
    let folder: TemporaryFolder
    let jobs: [JobStatus: Int]
  }

  /// Runs a daemon with a job of the named model in its queue and cancels it when the job has begun.
  ///
  /// - Returns: What is there when the daemon has returned, before a job that still runs is let go on.
  private static func cancel(running model: String, _ settings: [String: String] = [:]) async throws -> Stopped {
    let folder = try TemporaryFolder()
    let engine = FakeEngine()
    defer { engine.release() }
    let daemon = try await daemon(in: folder, engine, settings)
    let request = JobRequest(model: .name(model), quantization: QuantizationRequest(method: .rtn))
    _ = try await repository(in: folder).submit(request, layers: [], warnings: [], key: nil, now: Date())
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let running = Task {
      defer { found.finish() }
      try await daemon.run { url in _ = url.split(separator: ":").last.flatMap { Int($0) }.map { found.yield($0) } }
    }
    var iterator = ports.makeAsyncIterator()
    let port = try #require(await iterator.next())
    _ = await engine.nextStart()
    running.cancel()
    try await running.value
    return Stopped(port: port, folder: folder, jobs: try await repository(in: folder).counts())
  }

  private static func repository(in folder: TemporaryFolder) throws -> JobRepository {
    try JobRepository(database: folder.url.appending(path: "data/gptqd.sqlite"))
  }

  @Test func theServerIsGoneAndTheJobIsBackInTheQueue() async throws {
    // An address of its own: at a common one, another test's daemon may get the port that this one lets go of.
    let stopped = try await Self.cancel(running: "held", ["GPTQD_HTTP_LISTEN": "127.77.0.1:0"])
    #expect(throws: RawConnection.Failure.self) { try RawConnection(port: stopped.port, address: 0x7F4D_0001) }
    #expect(!FileManager.default.fileExists(atPath: stopped.folder.url.appending(path: "data/gptqd.url").path))
    #expect(stopped.jobs == [.queued: 1])
  }

  @Test func theGracePeriodHoldsAsWell() async throws {
    let stopped = try await Self.cancel(running: "stubborn", ["GPTQD_SHUTDOWN_GRACE_SECONDS": "0"])
    #expect(stopped.jobs == [.queued: 1])
  }

  @Test func aTaskThatIsCancelledAlreadyEnds() async throws {
    let folder = try TemporaryFolder()
    let daemon = try await Self.daemon(in: folder, FakeEngine())
    let running = Task {
      while !Task.isCancelled { await Task.yield() }
      try await daemon.run()
    }
    running.cancel()
    try await running.value
    #expect(!FileManager.default.fileExists(atPath: folder.url.appending(path: "data/gptqd.url").path))
  }
}
