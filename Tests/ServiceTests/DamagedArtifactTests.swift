import Foundation
import JobModel
import JobStore
import Service
import Testing

/// Bytes that are no longer those that were published are never served as if they were.
@Suite struct DamagedArtifactTests {
  private static func file(_ name: String, of job: Job, in server: TestServer) -> URL {
    server.folder.url.appending(path: "data/artifacts/\(job.id)/\(name)")
  }

  /// Changes one bit and puts the file's time of change back.
  private static func flipBit(of file: URL, at offset: UInt64) throws {
    let time = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate]
    let handle = try FileHandle(forUpdating: file)
    try handle.seek(toOffset: offset)
    let byte = try #require(try handle.read(upToCount: 1)?.first)
    try handle.seek(toOffset: offset)
    try handle.write(contentsOf: Data([byte ^ 1]))
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: file.path)
  }

  private static func expectRefusal(_ name: String, of job: Job, _ server: TestServer) async throws {
    for headers in [[:], ["Range": "bytes=0-0"]] {
      let answer = try await server.send("GET", "/v1/jobs/\(job.id)/artifacts/\(name)", headers)
      #expect(answer.status == 410, "\(name) \(headers)")
      let problem = try answer.problem()
      #expect(problem.code == .artifactDamaged)
      #expect(!problem.detail.contains(server.folder.url.path))
    }
    #expect(try await server.send("HEAD", "/v1/jobs/\(job.id)/artifacts/\(name)").status == 410)
    #expect(try await server.job(job.id).damagedFiles.contains(name))
  }

  @Test(arguments: [false, true])
  func aFlippedBitOfAnyFileIsNoticed(wasServedBefore: Bool) async throws {
    try await TestServer.run { server in
      for (name, content) in FakeEngine.files where !content.isEmpty {
        let job = try await server.succeededJob()
        let path = "/v1/jobs/\(job.id)/artifacts/"
        if wasServedBefore { #expect(try await server.send("GET", path + name).body == content) }
        try Self.flipBit(of: Self.file(name, of: job, in: server), at: UInt64(content.count / 2))
        try await Self.expectRefusal(name, of: job, server)
        for (other, content) in FakeEngine.files where other != name {
          #expect(try await server.send("GET", path + other).body == content, "\(other) beside \(name)")
        }
      }
    }
  }

  @Test func aFileThatIsGoneShortOrALinkIsRefused() async throws {
    try await TestServer.run { server in
      let changes: [(URL) throws -> Void] = [
        { try FileManager.default.removeItem(at: $0) },
        { file in
          let handle = try FileHandle(forWritingTo: file)
          try handle.truncate(atOffset: 1_500_000)
          try handle.close()
        },
        { file in
          let moved = server.folder.url.appending(component: UUID().uuidString)
          try FileManager.default.moveItem(at: file, to: moved)
          try FileManager.default.createSymbolicLink(at: file, withDestinationURL: moved)
        },
        { file in
          try FileManager.default.removeItem(at: file)
          #expect(mkfifo(file.path, 0o600) == 0)
        },
      ]
      for change in changes {
        let job = try await server.succeededJob()
        try change(Self.file("large.bin", of: job, in: server))
        try await Self.expectRefusal("large.bin", of: job, server)
      }
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  @Test func aFolderThatIsALinkIsRefused() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      let artifact = server.folder.url.appending(path: "data/artifacts/\(job.id)")
      let moved = server.folder.url.appending(component: "elsewhere")
      try FileManager.default.moveItem(at: artifact, to: moved)
      try FileManager.default.createSymbolicLink(at: artifact, withDestinationURL: moved)
      try await Self.expectRefusal("model.safetensors", of: job, server)
    }
  }

  @Test func theAuditNamesWhatIsDamaged() async throws {
    try await TestServer.run { server in
      let (whole, broken) = (try await server.succeededJob(), try await server.succeededJob())
      try Self.flipBit(of: Self.file("model.safetensors", of: broken, in: server), at: 7)
      let audit = try ArtifactAudit(dataFolder: server.folder.url.appending(component: "data"))
      var findings: [ArtifactAudit.Finding] = []
      #expect(try await audit.run(only: nil) { findings.append($0) } == 1)
      #expect(findings.count == 2 * FakeEngine.files.count)
      let damaged = findings.filter { $0.damage != nil }
      #expect(damaged.map(\.path) == ["model.safetensors"] && damaged.map(\.job) == [broken.id])
      #expect(try await audit.run(only: whole.id) { _ in } == 0)
      let unknown = JobID()
      await #expect(throws: JobStoreError.unknownJob(unknown.text)) { try await audit.run(only: unknown) { _ in } }
      #expect(try await server.job(broken.id).damagedFiles == [], "an audit changes nothing")
    }
  }

  /// The round at the start finds what was damaged while no daemon ran, and what was mended since.
  @Test func theStartChecksAllArtifacts() async throws {
    let folder = try TemporaryFolder()
    var job: Job?
    try await TestServer.run(in: folder) { job = try await $0.succeededJob() }
    let id = try #require(job).id
    let file = folder.url.appending(path: "data/artifacts/\(id)/config.json")
    for (content, damaged) in [("{ }\n", ["config.json"]), ("{}\n", [])] {
      try Data(content.utf8).write(to: file)
      try await TestServer.run(in: folder) { server in
        var job = try await server.job(id)
        for _ in 0..<6000 where job.damagedFiles != damaged {
          try await Task.sleep(for: .milliseconds(10))
          job = try await server.job(id)
        }
        #expect(job.damagedFiles == damaged)
        #expect(try await server.send("GET", "/v1/jobs/\(id)/artifacts/config.json").status == (damaged.isEmpty ? 200 : 410))
        let events = try await server.send("GET", "/v1/jobs/\(id)/events").decode(APIList<JobEvent>.self).data
        #expect(events.last?.kind == .damage)
      }
    }
  }
}
