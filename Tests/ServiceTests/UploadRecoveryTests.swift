import Foundation
import JobModel
import JobStore
import Testing

/// What a daemon makes of what one that was killed left behind.
@Suite struct UploadRecoveryTests {
  private static let content = Data("the whole file".utf8)

  private static func target(_ path: String) throws -> UploadTarget { .file(try ModelFilePath(path), of: "m") }

  /// Runs a daemon after `leave` has made what an earlier one left.
  private func restart(
    _ settings: [String: String] = [:], leave: (TemporaryFolder, JobRepository) async throws -> Void,
    _ body: (TestServer) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    try await TestServer.run(in: folder) { server in
      for path in ["models/m/files/kept.json", "models/m/files/a/b", "datasets/d"] {
        let answer = try await server.put("/v1/" + path, Data("{\"text\": \"\"}".utf8))
        #expect(answer.status == 201)
      }
    }
    try await leave(folder, try JobRepository(database: folder.url.appending(path: "data/gptqd.sqlite")))
    try await TestServer.run(settings, in: folder, body)
  }

  private func begin(_ path: String, _ content: Data, sha256: String?, _ folder: TemporaryFolder, _ repository: JobRepository)
    async throws -> Upload
  {
    let (upload, _) = try await repository.beginUpload(
      to: try Self.target(path), total: Self.content.count, sha256: sha256, limits: UploadLimits(), now: Date())
    try folder.write("data/uploads/unfinished/\(upload.id)", content)
    return upload
  }

  private static let publication = Upload.Publication(size: content.count, sha256: FakeEngine.sha256(content), rows: nil)

  /// Killed right before the file got its name, and right after.
  @Test(arguments: [false, true])
  func aWholeFileIsPublished(isMoved: Bool) async throws {
    try await restart { folder, repository in
      let upload = try await begin("new.bin", Self.content, sha256: nil, folder, repository)
      try await repository.preparePublication(Self.publication, of: upload)
      if isMoved {
        let uploads = folder.url.appending(path: "data/uploads")
        try FileManager.default.moveItem(
          at: uploads.appending(path: "unfinished/\(upload.id)"), to: uploads.appending(path: "models/m/new.bin"))
      }
    } _: { server in
      let file = try await server.send("GET", "/v1/models/m/files/new.bin").decode(StoredFile.self)
      #expect(file.sha256 == Self.publication.sha256 && file.upload == nil)
      #expect(try server.stored("models/m/new.bin") == Self.content)
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func whatCameIsGoneOnWith() async throws {
    try await restart { folder, repository in
      _ = try await begin("hashed.bin", Self.content.prefix(9), sha256: Self.publication.sha256, folder, repository)
      // Without a hash, only what was synced counts.
      let upload = try await begin("synced.bin", Self.content.prefix(9), sha256: nil, folder, repository)
      try await repository.note(received: 4, of: upload, total: nil, sha256: nil, now: Date())
      _ = try await begin("lost.bin", Self.content.prefix(9), sha256: nil, folder, repository)
      try folder.write("data/uploads/unfinished/nobody", Self.content)
    } _: { server in
      #expect(try await server.send("GET", "/v1/models/m/files/lost.bin").status == 404)
      #expect(try server.unfinished().count == 2)
      for (name, offset) in [("hashed.bin", 9), ("synced.bin", 4)] {
        let path = "/v1/models/m/files/\(name)"
        #expect(try await server.send("HEAD", path).headers["upload-offset"] == "\(offset)")
        let range = ["Content-Range": "bytes \(offset)-\(Self.content.count - 1)/\(Self.content.count)"]
        let answer = try await server.put(path, Self.content[offset...], range)
        #expect(answer.status == 201)
        #expect(try answer.decode(StoredFile.self).sha256 == Self.publication.sha256)
      }
      #expect(try await server.send("GET", "/v1/models/m").decode(StoredModel.self).fileCount == 4)
    }
  }

  @Test func deletionsAreBroughtToTheirEnd() async throws {
    try await restart { folder, repository in
      _ = try await repository.deleteUploaded(.model, "m", path: "a/b")
      _ = try await repository.deleteUploaded(.dataset, "d")
      // Not over what is still to go.
      await #expect(throws: UploadError.beingDeleted(try Self.target("kept.json"))) {
        try await repository.beginUpload(
          to: try Self.target("kept.json"), total: nil, sha256: nil, limits: UploadLimits(), now: Date())
      }
    } _: { server in
      #expect(!server.exists("models/m/a") && server.exists("models/m/kept.json") && !server.exists("datasets/d.jsonl"))
      let answer = try await server.put("/v1/models/m/files/a/b", Self.content)
      #expect(answer.status == 201)
    }
  }

  /// The database may have been replaced: nothing that it doesn't know is removed.
  @Test func strangersStay() async throws {
    try await restart { folder, repository in
      try folder.write("data/uploads/models/stranger/config.json", Data("{}".utf8))
      try folder.write("data/uploads/datasets/stranger.jsonl", Data("{}".utf8))
    } _: { server in
      #expect(server.exists("models/stranger/config.json") && server.exists("datasets/stranger.jsonl"))
      #expect(server.exists("models/m/kept.json"))
      let models = try await server.send("GET", "/v1/models").decode(APIList<StoredModel>.self).data.map(\.name)
      #expect(models.contains("m") && !models.contains("stranger"))
    }
  }

  @Test func oldUploadsAreForgotten() async throws {
    try await restart(["GPTQD_UPLOADS_RESUME_HOURS": "1"]) { folder, repository in
      let upload = try await begin("old.bin", Self.content.prefix(9), sha256: Self.publication.sha256, folder, repository)
      try await repository.note(received: 9, of: upload, total: nil, sha256: nil, now: Date(timeIntervalSinceNow: -3700))
      _ = try await begin("young.bin", Self.content.prefix(9), sha256: Self.publication.sha256, folder, repository)
    } _: { server in
      for _ in 0..<3000 where try await server.send("GET", "/v1/models/m/files/old.bin").status == 200 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await server.send("GET", "/v1/models/m/files/old.bin").status == 404)
      #expect(try await server.send("GET", "/v1/models/m/files/young.bin").status == 200)
      for _ in 0..<3000 where try server.unfinished().count > 1 { try await Task.sleep(for: .milliseconds(10)) }
      #expect(try server.unfinished().count == 1)
    }
  }
}
