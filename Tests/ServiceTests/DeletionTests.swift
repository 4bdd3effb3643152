import Foundation
import JobModel
import JobStore
import Logging
import Service
import Testing

@Suite struct DeletionTests {
  private static func files(of job: JobID, in folder: TemporaryFolder) -> [String] {
    ["data/artifacts/\(job)", "data/work/\(job)"].filter { FileManager.default.fileExists(atPath: folder.url.appending(path: $0).path) }
  }

  @Test func anEndedJobGoesWithAllItHas() async throws {
    try await TestServer.run { server in
      let (job, other) = (try await server.succeededJob(), try await server.succeededJob())
      let answer = try await server.send("DELETE", "/v1/jobs/\(job.id)")
      #expect(answer.status == 204 && answer.body.isEmpty)
      for path in ["", "/layers", "/attempts", "/events", "/artifacts", "/artifacts/config.json"] {
        #expect(try await server.send("GET", "/v1/jobs/\(job.id)\(path)").status == 404, "\(path)")
      }
      #expect(Self.files(of: job.id, in: server.folder).isEmpty)
      #expect(try await server.send("DELETE", "/v1/jobs/\(job.id)").problem().code == .jobNotFound)
      #expect(try await server.send("GET", "/v1/jobs/\(other.id)/artifacts/config.json").status == 200)
    }
  }

  @Test func aJobThatWaitsOrRunsStays() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("held")
      _ = await server.engine.nextStart()
      let waiting = try await server.submit("held")
      for job in [running, waiting] {
        let answer = try await server.send("DELETE", "/v1/jobs/\(job.id)")
        #expect(try answer.problem().code == .conflict)
        #expect(try await server.job(job.id).status.isEnded == false)
      }
    }
  }

  /// Failed and cancelled jobs go before those that succeeded, of each the first to end; what waits or runs stays whatever the limit.
  @Test func spaceIsMadeInOrder() async throws {
    let folder = try TemporaryFolder()
    var ids: [JobID] = []
    try await TestServer.run(in: folder) { server in
      let succeeded = [try await server.succeededJob().id, try await server.succeededJob().id]
      let failed = try await server.ended(server.submit("broken").id).id
      let held = try await server.submit("held").id
      _ = await server.engine.nextStart()
      ids = succeeded + [failed, held]
      try server.folder.write("data/work/\(failed)/blocks/block-00000.safetensors", Data(count: 300_000))
      try server.folder.write("data/work/\(held)/blocks/block-00000.safetensors", Data(count: 300_000))
      server.stop()
      try await server.stopped()
    }
    // The database, one artifact and the work of the job that waits fit; in the second round nothing does.
    for (limit, expected) in [(4_000_000, [ids[1], ids[3]]), (1, [ids[3]])] {
      try await TestServer.run(["GPTQD_RETENTION_MAX_DATA_BYTES": "\(limit)"], in: folder) { server in
        _ = await server.engine.nextStart()
        var left: [JobID] = []
        for _ in 0..<6000 where left != expected {
          try await Task.sleep(for: .milliseconds(10))
          left = try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.map(\.id).sorted()
        }
        #expect(left == expected.sorted(), "\(limit)")
        // Files go after the row.
        func kept() -> [JobID] { ids.filter { !Self.files(of: $0, in: folder).isEmpty }.sorted() }
        for _ in 0..<6000 where kept() != left { try await Task.sleep(for: .milliseconds(10)) }
        #expect(kept() == left)
        server.stop()
        try await server.stopped()
      }
    }
  }

  @Test func oldJobsGoAndNewOnesStay() async throws {
    let folder = try TemporaryFolder()
    var ids: (old: JobID, new: JobID)?
    try await TestServer.run(in: folder) { server in
      let new = try await server.succeededJob().id
      let repository = try JobRepository(database: folder.url.appending(path: "data/gptqd.sqlite"))
      let request = JobRequest(model: "quick", quantization: QuantizationRequest(method: .rtn))
      let past = Date().addingTimeInterval(-2 * 86_400)
      let submission = try await repository.submit(request, layers: [], warnings: [], key: nil, now: past)
      guard case .created(let old) = submission else { return }
      _ = try await repository.requestCancel(old.id, now: past)
      ids = (old.id, new)
    }
    let (old, new) = try #require(ids)
    try await TestServer.run(["GPTQD_RETENTION_DAYS": "1"], in: folder) { server in
      for _ in 0..<6000 where try await server.send("GET", "/v1/jobs/\(old)").status == 200 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.map(\.id) == [new])
    }
  }

  /// What a killed daemon left half-done is gone before the next one's first job; what a job may go on from stays, as does what
  /// belongs to jobs that the database doesn't know.
  @Test func leftoversAreSwept() async throws {
    let folder = try TemporaryFolder()
    var ids: (done: JobID, failed: JobID, deleted: JobID)?
    try await TestServer.run(in: folder) { server in
      ids = (
        try await server.succeededJob().id, try await server.ended(server.submit("broken").id).id, try await server.succeededJob().id
      )
    }
    let (done, failed, deleted) = try #require(ids)
    let repository = try JobRepository(database: folder.url.appending(path: "data/gptqd.sqlite"))
    #expect(try await repository.delete(deleted) == .deleted)
    for path in [
      "artifacts/\(failed)/config.json", "artifacts/unknown/config.json", "work/\(done)/blocks/block-00000.safetensors",
      "work/\(failed)/artifact/model.safetensors", "work/\(failed)/blocks/block-00001.safetensors.tmp",
      "work/\(failed)/blocks/block-00000.safetensors",
    ] { try folder.write("data/" + path) }
    try await TestServer.run(in: folder) { server in
      let next = try await server.succeededJob().id
      func names(_ name: String) throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: folder.url.appending(path: "data/\(name)").path))
      }
      #expect(try names("work") == ["\(failed)", "\(failed)/blocks", "\(failed)/blocks/block-00000.safetensors"])
      #expect(Set(try names("artifacts").map { String($0.prefix { $0 != "/" }) }) == ["\(done)", "\(next)", "unknown"])
      #expect(try await repository.incompleteDeletions().isEmpty)
      #expect(try await server.send("GET", "/v1/jobs/\(done)/artifacts/config.json").status == 200)
    }
  }
}
