import Foundation
import JobModel
import JobStore
import Logging
import Ranks
import Service
import ServiceLifecycleTestKit
import gptqctl

/// The daemon as it is shipped, on a free port, with the client that is shipped.
struct EngineServer: Sendable {
  let client: APIClient
  let url: String
  let folder: URL

  var models: URL { folder.appending(component: "models") }
  var datasets: URL { folder.appending(component: "datasets") }

  /// A golden Qwen2 checkpoint of 3 blocks without tokenizer; data of token ids.
  static let tinyModel = goldenModel("qwen2")

  static func goldenModel(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "TransformerTests/Fixtures/models/\(name)")
  }

  /// Runs `body` with a daemon that is stopped afterwards.
  ///
  /// - Parameters:
  ///   - settings: Environment variables of the configuration.
  ///   - token: That the client sends.
  ///   - freeBytes: On the data folder's disk; nil: as it is.
  ///   - ranks: That do each job together, as threads.
  static func run(
    _ settings: [String: String] = [:], token: String? = nil, freeBytes: Int? = nil, ranks: Int = 1,
    _ body: (EngineServer) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-e2e-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    for name in ["models", "datasets"] {
      try FileManager.default.createDirectory(at: folder.appending(component: name), withIntermediateDirectories: true)
    }
    try copyModel(to: folder.appending(path: "models/tiny"))
    let rows = (0..<40).map { row in "{\"input_ids\": [" + (0..<50).map { String(($0 * 31 + row * 7) % 157) }.joined(separator: ",") + "]}"
    }
    try Data(rows.joined(separator: "\n").utf8).write(to: folder.appending(path: "datasets/ids.jsonl"))
    let configuration = try await ServiceConfiguration(
      file: nil,
      environment: [
        "GPTQD_HTTP_LISTEN": "127.0.0.1:0", "GPTQD_DATA_FOLDER": folder.appending(component: "data").path,
        "GPTQD_MODELS_ROOTS": folder.appending(component: "models").path,
        "GPTQD_DATASETS_ROOTS": folder.appending(component: "datasets").path,
      ].merging(settings) { $1 })
    let limits = EngineLimits(configuration)
    let daemon = try Daemon(
      configuration,
      planner: EnginePlanner(memory: configuration.plannedMemory(of:), dataFolder: configuration.dataFolder) {
        freeBytes ?? FileManager.freeBytes(in: $0)
      },
      work: { job, files, folders, cancellation, journal in
        let parts: [Result<JobOutcome?, any Error>] = ThreadRanks.run(ranks) { group in
          let work = EngineWork(limits, maxShardBytes: 1 << 30, ranks: group)
          if group.rank == 0 { return try work.run(job, files, folders, cancellation, journal) }
          try work.assist(job, files, folders)
          return nil
        }
        guard let outcome = try parts[0].get() else { throw CancellationError() }
        return outcome
      },
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await testGracefulShutdown { trigger in
      let (urls, found) = AsyncStream.makeStream(of: String.self)
      let running = Task {
        defer { found.finish() }
        try await daemon.run { found.yield($0) }
      }
      for await url in urls {
        try await body(EngineServer(client: APIClient(url: url, token: token), url: url, folder: folder))
        break
      }
      trigger.triggerGracefulShutdown()
      try await running.value
    }
  }

  static func copyModel(_ model: URL = tinyModel, to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in ["config.json", "model.safetensors", "generation_config.json"] {
      try Data(contentsOf: model.appending(component: name)).write(to: folder.appending(component: name))
    }
  }

  func submit(_ body: String) async throws -> Job {
    let answer = try await client.send("POST", "/v1/jobs", body: Data(body.utf8))
    return try APICoding.decode(Job.self, from: answer.body)
  }

  /// The problem that a request is refused with; nil where it is accepted.
  func refusal(_ body: String) async throws -> Problem? {
    do {
      _ = try await submit(body)
      return nil
    } catch ClientError.refused(let problem) {
      return problem
    }
  }

  func ended(_ id: JobID) async throws -> Job {
    var job = try await client.get(Job.self, "/v1/jobs/\(id)")
    while !job.status.isEnded { job = try await client.get(Job.self, "/v1/jobs/\(id)?wait=30") }
    return job
  }
}
