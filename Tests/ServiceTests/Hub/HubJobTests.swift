import Foundation
import JobModel
import Service
import StrictJSON
import Testing

/// A finished job as the repository `jobs/<id>`.
@Suite struct HubJobTests {
  private static let commit = String(repeating: "0", count: 40)
  /// Bytes of the pointers that git-lfs makes ("git lfs pointer --file") of what isn't text.
  private static let pointers = ["model.safetensors": 129, "empty.bin": 126, "large.bin": 132]

  private func json(_ server: TestServer, _ path: String) async throws -> JSONValue {
    let answer = try await server.send("GET", path)
    try #require(answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
    #expect(answer.headers["content-type"] == "application/json")
    return try JSONValue(parsing: Array(answer.body))
  }

  @Test func infoNamesTheCommitAndTheFiles() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      for path in ["", "/revision/main", "/revision/\(Self.commit)", "?securityStatus=true", "?expand=sha&expand=siblings"] {
        let info = try await json(server, "/api/models/jobs/\(job.id)\(path)")
        #expect(info["id"]?.stringValue == "jobs/\(job.id)", "\(path)")
        #expect(info["sha"]?.stringValue == Self.commit, "\(path)")
        let siblings = try #require(info["siblings"]?.arrayValue)
        #expect(siblings.map { $0["rfilename"]?.stringValue } == FakeEngine.files.keys.sorted(), "\(path)")
        #expect(siblings.allSatisfy { $0.objectValue?.keys == ["rfilename"] }, "\(path)")
      }
    }
  }

  @Test(arguments: ["true", "True", "1"])
  func infoHasSizesAndHashesWhereAsked(value: String) async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      let info = try await json(server, "/api/models/jobs/\(job.id)?blobs=\(value)")
      for sibling in try #require(info["siblings"]?.arrayValue) {
        let name = try #require(sibling["rfilename"]?.stringValue)
        let content = try #require(FakeEngine.files[name])
        #expect(sibling["size"]?.intValue == content.count, "\(name)")
        let lfs = sibling["lfs"]
        #expect((lfs == nil) == (name == "config.json"), "\(name)")
        #expect(lfs?["sha256"]?.stringValue == (lfs == nil ? nil : FakeEngine.sha256(content)), "\(name)")
        #expect(lfs?["size"]?.intValue == (lfs == nil ? nil : content.count), "\(name)")
        #expect(lfs?["pointerSize"]?.intValue == Self.pointers[name], "\(name)")
        #expect(sibling["blobId"]?.stringValue?.count == 40, "\(name)")
        if name == "config.json" { #expect(sibling["blobId"]?.stringValue == "0967ef424bce6791893e9a57bb952f80fd536e93") }
      }
    }
  }

  @Test func theTreeNamesEveryFile() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      for query in ["?recursive=true&expand=false", "?recursive=False", ""] {
        for revision in ["main", Self.commit] {
          let tree = try await json(server, "/api/models/jobs/\(job.id)/tree/\(revision)\(query)")
          let entries = try #require(tree.arrayValue)
          #expect(entries.map { $0["path"]?.stringValue } == FakeEngine.files.keys.sorted())
          for entry in entries {
            let name = try #require(entry["path"]?.stringValue)
            let content = try #require(FakeEngine.files[name])
            #expect(entry["type"]?.stringValue == "file")
            #expect(entry["size"]?.intValue == content.count)
            let isText = name == "config.json"
            #expect(entry["lfs"]?["oid"]?.stringValue == (isText ? nil : FakeEngine.sha256(content)), "\(name)")
            #expect(entry["lfs"]?["pointerSize"]?.intValue == Self.pointers[name], "\(name)")
            if isText { #expect(entry["oid"]?.stringValue == "0967ef424bce6791893e9a57bb952f80fd536e93") }
            #expect(entry["xetHash"] == nil)
          }
        }
      }
    }
  }

  @Test func filesComeWithTheirCommit() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      for (name, content) in FakeEngine.files {
        for (method, revision) in [("GET", "main"), ("HEAD", "main"), ("GET", Self.commit), ("HEAD", Self.commit)] {
          let headers = ["Accept-Encoding": "gzip, deflate, br, zstd"]
          let answer = try await server.send(method, "/jobs/\(job.id)/resolve/\(revision)/\(name)?download=true", headers)
          #expect(answer.status == 200, "\(method) \(name)")
          #expect(answer.headers["x-repo-commit"] == Self.commit, "\(method) \(name)")
          #expect(answer.headers["etag"] == "\"\(FakeEngine.sha256(content))\"", "\(method) \(name)")
          #expect(answer.headers["content-length"] == "\(content.count)", "\(method) \(name)")
          #expect(answer.headers["accept-ranges"] == "bytes", "\(method) \(name)")
          #expect(answer.headers["content-encoding"] == nil && answer.headers["transfer-encoding"] == nil, "\(method) \(name)")
          #expect(!answer.headers.keys.contains { $0.hasPrefix("x-xet") }, "\(method) \(name)")
          #expect(answer.body == (method == "HEAD" ? Data() : content), "\(method) \(name)")
        }
      }
      for path in ["/api/models/jobs/\(job.id)", "/api/models/jobs/\(job.id)/tree/main?recursive=true"] {
        let (get, head) = (try await server.send("GET", path), try await server.send("HEAD", path))
        #expect(head.status == 200 && head.body.isEmpty, "\(path)")
        #expect(head.headers["content-length"] == "\(get.body.count)", "\(path)")
        #expect(head.headers["x-repo-commit"] == Self.commit, "\(path)")
      }
    }
  }

  @Test func partsAreExact() async throws {
    let file = try #require(FakeEngine.files["model.safetensors"])
    try await TestServer.run { server in
      let path = "/jobs/\(try await server.succeededJob().id)/resolve/main/model.safetensors"
      for (header, expected) in rangeCases {
        let answer = try await server.send("GET", path, ["Range": header])
        switch expected {
        case .whole: #expect(answer.status == 200 && answer.body == file, "\(header)")
        case .part(let range):
          #expect(answer.status == 206 && answer.body == file[range], "\(header)")
          #expect(answer.headers["content-range"] == "bytes \(range.lowerBound)-\(range.upperBound - 1)/1000", "\(header)")
          #expect(answer.headers["x-repo-commit"] == Self.commit, "\(header)")
        case .notSatisfiable:
          #expect(answer.status == 416 && answer.headers["content-range"] == "bytes */1000", "\(header)")
          #expect(answer.headers["x-error-message"] == "the file has 1000 bytes", "\(header)")
        }
      }
      let tag = "\"\(FakeEngine.sha256(file))\""
      #expect(try await server.send("GET", path, ["If-None-Match": tag]).status == 304)
      #expect(try await server.send("HEAD", path, ["If-None-Match": tag]).status == 304)
      #expect(try await server.send("GET", path, ["Range": "bytes=5-9", "If-Range": tag]).body == file[5...9])
      #expect(try await server.send("GET", path, ["Range": "bytes=5-9", "If-Range": "\"other\""]).body == file)
      #expect(try await server.send("HEAD", path, ["Range": "bytes=5-9"]).headers["content-length"] == "1000")
    }
  }

  /// Codes that clients make their exceptions of.
  @Test func whatIsNotThereIsToldAsTheHubDoes() async throws {
    try await TestServer.run { server in
      let (job, held) = (try await server.succeededJob(), try await server.submit("held"))
      let (unknown, elsewhere) = (JobID(), "the repositories of this server are jobs/ID and models/NAME")
      let cases: [(path: String, code: String, message: String, hasCommit: Bool)] = [
        ("/api/models/jobs/\(unknown)", "RepoNotFound", "no job has the id \(unknown)", false),
        ("/api/models/jobs/\(unknown)/revision/main", "RepoNotFound", "no job has the id", false),
        ("/api/models/jobs/\(unknown)/tree/main", "RepoNotFound", "no job has the id", false),
        ("/jobs/\(unknown)/resolve/main/config.json", "RepoNotFound", "no job has the id", false),
        ("/api/models/jobs/x", "RepoNotFound", "no job has the id x", false),
        ("/api/models/jobs/\(held.id)", "RepoNotFound", "; its files come when it has succeeded", false),
        ("/jobs/\(held.id)/resolve/main/config.json", "RepoNotFound", "; its files come when it has succeeded", false),
        ("/api/models/models/nothing", "RepoNotFound", "there is no model \"nothing\"", false),
        ("/models/nothing/resolve/main/config.json", "RepoNotFound", "there is no model", false),
        ("/api/models/org/name", "RepoNotFound", elsewhere, false), ("/api/models/gpt2", "RepoNotFound", elsewhere, false),
        ("/org/name/resolve/main/config.json", "RepoNotFound", elsewhere, false),
        ("/gpt2/resolve/main/config.json", "RepoNotFound", elsewhere, false),
        ("/api/datasets/org/name", "RepoNotFound", elsewhere, false),
        ("/datasets/org/name/resolve/main/x", "RepoNotFound", elsewhere, false),
        ("/api/models/jobs/\(job.id)/revision/v1", "RevisionNotFound", "has the revisions main and 000", false),
        ("/api/models/jobs/\(job.id)/revision/refs%2Fpr%2F1", "RevisionNotFound", "not refs/pr/1", false),
        ("/api/models/jobs/\(job.id)/tree/v1", "RevisionNotFound", "not v1", false),
        ("/jobs/\(job.id)/resolve/\(Self.commit.prefix(7))/config.json", "RevisionNotFound", "not 0000000", false),
        ("/jobs/\(job.id)/resolve/main/nothing.json", "EntryNotFound", "has no nothing.json", true),
        ("/jobs/\(job.id)/resolve/main/sub/config.json", "EntryNotFound", "has no sub/config.json", true),
        ("/api/models/jobs/\(job.id)/tree/main/sub", "EntryNotFound", "has no sub", true),
      ]
      for (path, code, message, hasCommit) in cases {
        for method in ["GET", "HEAD"] {
          let answer = try await server.send(method, path)
          #expect(answer.status == 404, "\(method) \(path)")
          #expect(answer.headers["x-error-code"] == code, "\(method) \(path)")
          #expect(answer.headers["x-error-message"]?.contains(message) == true, "\(method) \(path): \(answer.headers)")
          #expect(answer.headers["x-repo-commit"] == (hasCommit ? Self.commit : nil), "\(method) \(path)")
          #expect(answer.body.isEmpty == (method == "HEAD"), "\(method) \(path)")
          if method == "GET", message != elsewhere { #expect(try answer.problem().detail.contains(message), "\(path)") }
        }
      }
      #expect(try await server.send("GET", "/v1/jobs/\(unknown)").headers["x-error-code"] == nil, "not the Hub's")
      let posted = try await server.send("POST", "/api/models/jobs/\(job.id)", body: Data())
      #expect(posted.status == 405 && posted.headers["allow"] == "GET, HEAD" && posted.headers["x-error-message"] != nil)
    }
  }

  @Test func aDamagedFileIsToldAndTheOthersAreServed() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      for name in ["config.json", "model.safetensors"] {
        let content = try #require(FakeEngine.files[name])
        try Data(repeating: 0, count: content.count).write(to: server.folder.url.appending(path: "data/artifacts/\(job.id)/\(name)"))
        for method in ["GET", "HEAD"] {
          let answer = try await server.send(method, "/jobs/\(job.id)/resolve/main/\(name)")
          #expect(answer.status == 410, "\(method) \(name)")
          #expect(answer.headers["x-error-message"]?.contains("no longer those that the job published") == true)
          // A client keeps a note of an EntryNotFound, and would do without the file for good.
          #expect(answer.headers["x-error-code"] == nil)
        }
      }
      let tree = try await json(server, "/api/models/jobs/\(job.id)/tree/main?recursive=true").arrayValue
      #expect(
        tree?.map { $0["lfs"]?["oid"]?.stringValue } == FakeEngine.files.sorted { $0.key < $1.key }.map { FakeEngine.sha256($0.value) })
      let large = try await server.send("GET", "/jobs/\(job.id)/resolve/main/large.bin")
      #expect(large.body == FakeEngine.files["large.bin"])
    }
  }

  @Test func aDeletedJobIsNoRepository() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      #expect(try await server.send("HEAD", "/jobs/\(job.id)/resolve/main/config.json").status == 200)
      #expect(try await server.send("DELETE", "/v1/jobs/\(job.id)").status == 204)
      let answer = try await server.send("HEAD", "/jobs/\(job.id)/resolve/main/config.json")
      #expect(answer.status == 404 && answer.headers["x-error-code"] == "RepoNotFound")
    }
  }
}
