import Foundation
import JobModel
import Testing

/// Which models of the Hub stay in the data folder.
@Suite(.serialized) struct HubRetentionTests {
  /// Lets all models in a folder look as if nobody had used them for a year.
  private func age(_ folder: TemporaryFolder) throws {
    let hub = folder.url.appending(path: "data/hub")
    for path in try FileManager.default.subpathsOfDirectory(atPath: hub.path) where path.split(separator: "/").count == 3 {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -365 * 86_400)], ofItemAtPath: hub.appending(path: path).path)
    }
  }

  @Test(
    "What no job waits for goes when it is old or takes too much room; what one waits for stays",
    arguments: [
      ["GPTQD_RETENTION_DAYS": "1"], ["GPTQD_RETENTION_MAX_DATA_BYTES": "4096"],
    ])
  func deletesUnused(settings: [String: String]) async throws {
    let (used, unused, stalling) = (TestRepository("org/used"), TestRepository("org/unused"), TestRepository("org/stalling"))
    let hub = try ScriptedHub { request in
      var answer = [used, unused, stalling].answer(request)
      if request.path == "/org/stalling/resolve/\(stalling.commit)/model.safetensors" { (answer.limit, answer.stalls) = (1000, true) }
      return answer
    }
    let folder = try TemporaryFolder()
    var waiting: JobID?
    try await TestServer.run(hub: hub, in: folder) { server in
      for model in [used, unused] { #expect(try await server.ended(server.accepted(hub: model.name).id).status == .succeeded) }
      let running = try await server.accepted(hub: stalling.name)
      try await server.wait("the download") { try await server.job(running.id).stage == .downloading }
      waiting = try await server.accepted(hub: used.name).id
    }
    try age(folder)
    try await TestServer.run(hub: hub, settings, in: folder) { server in
      try await server.wait("the deletion") { server.storedNames(unused).isEmpty }
      #expect(server.storedNames(used) == used.needed)
      #expect(try await server.job(#require(waiting)).status == .queued)
      #expect(!FileManager.default.fileExists(atPath: server.stored(unused).deletingLastPathComponent().path))
      try await server.wait("the download that goes on") { server.storedNames(stalling, isPartial: true).contains("tokenizer.json") }
    }
  }

  @Test("Nothing goes by default, but parts of a download that no job could go on with")
  func keeps() async throws {
    let repository = TestRepository()
    let hub = try ScriptedHub { [repository].answer($0) }
    let folder = try TemporaryFolder()
    try folder.write("data/hub/org/gone/\(repository.commit).part/model.safetensors.part", Data(count: 100))
    try await TestServer.run(hub: hub, in: folder) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .succeeded)
      try await server.wait("the deletion") {
        !FileManager.default.fileExists(atPath: folder.url.appending(path: "data/hub/org/gone").path)
      }
      _ = try await server.send("DELETE", "/v1/jobs/\(job.id)")
    }
    try age(folder)
    try await TestServer.run(hub: hub, in: folder) { server in
      let job = try await server.ended(server.accepted(hub: repository.name, revision: repository.commit).id)
      #expect(job.status == .succeeded)
      #expect(hub.requests(of: "model.safetensors").count == 1)
    }
  }
}
