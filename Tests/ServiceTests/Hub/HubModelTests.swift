import Foundation
import JobModel
import Service
import StrictJSON
import Testing

/// A model of the daemon as the repository `models/<name>`.
@Suite struct HubModelTests {
  private static let weights = Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) })

  private static func fill(_ folder: TemporaryFolder) throws {
    try folder.write("models/m/config.json", Data("{}\n".utf8))
    try folder.write("models/m/a.txt", Data("hello world\n".utf8))
    try folder.write("models/m/a/empty")
    try folder.write("models/m/a-b.md", Data("b".utf8))
    try folder.write("models/m/sub/deep/w.safetensors", weights)
    try folder.write("models/m/sub/x.json", Data("x".utf8))
    try folder.write("models/m/.cache/secret", Data("no".utf8))
    try folder.write("models/m/.gitattributes", Data("no".utf8))
    try folder.write("models/m/sub/.hidden", Data("no".utf8))
  }

  private static let paths = ["a-b.md", "a.txt", "a/empty", "config.json", "sub/deep/w.safetensors", "sub/x.json"]

  private func tree(_ server: TestServer, _ path: String) async throws -> [JSONValue] {
    let answer = try await server.send("GET", "/api/models/models/m/tree/\(path)")
    try #require(answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
    return try #require(try JSONValue(parsing: Array(answer.body)).arrayValue)
  }

  private func commit(_ server: TestServer) async throws -> String {
    let answer = try await server.send("GET", "/api/models/models/m")
    let info = try JSONValue(parsing: Array(answer.body))
    #expect(info["id"]?.stringValue == "models/m")
    let commit = try #require(info["sha"]?.stringValue)
    #expect(commit.wholeMatch(of: /[0-9a-f]{40}/) != nil)
    return commit
  }

  @Test func theTreeHasFoldersWithTheNamesThatGitGivesThem() async throws {
    let folder = try TemporaryFolder()
    try Self.fill(folder)
    try await TestServer.run(in: folder) { server in
      let all = try await tree(server, "main?recursive=true")
      #expect(
        all.map { $0["path"]?.stringValue } == [
          "a-b.md", "a.txt", "a", "a/empty", "config.json", "sub", "sub/deep", "sub/deep/w.safetensors", "sub/x.json",
        ])
      let oids = Dictionary(uniqueKeysWithValues: all.map { ($0["path"]?.stringValue ?? "", $0["oid"]?.stringValue ?? "") })
      #expect(oids["a.txt"] == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad")
      #expect(oids["a"] == "417c01c8795a35b8e835113a85a5c0c1c77f67fb")
      #expect(oids["a/empty"] == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
      let weights = try #require(all.first { $0["path"]?.stringValue == "sub/deep/w.safetensors" })
      #expect(weights["lfs"]?["oid"]?.stringValue == FakeEngine.sha256(Self.weights))
      #expect(weights["size"]?.intValue == 3000 && weights["lfs"]?["size"]?.intValue == 3000)
      #expect(all.filter { $0["type"]?.stringValue == "directory" }.map { $0["path"]?.stringValue } == ["a", "sub", "sub/deep"])

      #expect(try await tree(server, "main").map { $0["path"]?.stringValue } == ["a-b.md", "a.txt", "a", "config.json", "sub"])
      for path in ["main/sub", "main/sub/", "main/sub?recursive=false"] {
        #expect(try await tree(server, path).map { $0["path"]?.stringValue } == ["sub/deep", "sub/x.json"], "\(path)")
      }
      for path in ["main/sub/deep", "main/sub%2Fdeep", "\(try await commit(server))/sub%2Fdeep?recursive=true"] {
        #expect(try await tree(server, path).map { $0["path"]?.stringValue } == ["sub/deep/w.safetensors"], "\(path)")
      }
    }
  }

  @Test func filesComeFromFolders() async throws {
    let folder = try TemporaryFolder()
    try Self.fill(folder)
    try await TestServer.run(in: folder) { server in
      let commit = try await commit(server)
      for path in ["sub/deep/w.safetensors", "sub%2Fdeep%2Fw.safetensors", "sub/deep%2Fw%2Esafetensors"] {
        for method in ["HEAD", "GET"] {
          let answer = try await server.send(method, "/models/m/resolve/main/\(path)")
          #expect(answer.status == 200, "\(method) \(path)")
          #expect(answer.headers["etag"] == "\"\(FakeEngine.sha256(Self.weights))\"")
          #expect(answer.headers["x-repo-commit"] == commit)
          #expect(answer.headers["content-length"] == "3000")
          #expect(answer.body == (method == "GET" ? Self.weights : Data()))
        }
      }
      let part = try await server.send("GET", "/models/m/resolve/\(commit)/sub/deep/w.safetensors", ["Range": "bytes=1000-"])
      #expect(part.status == 206 && part.body == Self.weights[1000...])
    }
  }

  /// A file, once the machine has got round to hashing it.
  private func hashed(_ server: TestServer, _ path: String) async throws -> RawAnswer {
    var answer = try await server.send("GET", "/models/m/resolve/\(path)")
    for _ in 0..<10 where answer.status == 503 { answer = try await server.send("GET", "/models/m/resolve/\(path)") }
    return answer
  }

  @Test func aChangedFileIsAnotherCommit() async throws {
    let folder = try TemporaryFolder()
    try Self.fill(folder)
    try await TestServer.run(in: folder) { server in
      let before = try await commit(server)
      #expect(try await commit(server) == before)
      #expect(try await hashed(server, "main/config.json").body == Data("{}\n".utf8))
      try folder.write("models/m/config.json", Data("{ }".utf8))
      let after = try await commit(server)
      #expect(after != before)
      let answer = try await hashed(server, "\(after)/config.json")
      #expect(answer.body == Data("{ }".utf8) && answer.headers["etag"] == "\"\(FakeEngine.sha256(Data("{ }".utf8)))\"")
      let old = try await server.send("GET", "/models/m/resolve/\(before)/config.json")
      #expect(old.status == 404 && old.headers["x-error-code"] == "RevisionNotFound")
    }
  }

  @Test func linksStayWithinTheRoots() async throws {
    let folder = try TemporaryFolder()
    let secret = try folder.write("secret.json", Data("secret".utf8))
    try folder.write("outside/secret.json", Data("secret".utf8))
    try folder.write("models/blobs/abc", Data("{}".utf8))
    try folder.write("models/m/weights.safetensors", Self.weights)
    try folder.write("models/m/sub/x.json", Data("x".utf8))
    // As in a cache of the Hub's.
    try folder.link("models/m/config.json", to: "../blobs/abc")
    try folder.link("models/m/sub/out.json", to: secret.path)
    try folder.link("models/m/sub/up.json", to: "../../../secret.json")
    try folder.link("models/m/sub/loop", to: "..")
    try folder.link("models/m/sub/self.json", to: "self.json")
    try folder.link("models/m/sub/device.json", to: "/dev/zero")
    #expect(mkfifo(folder.url.appending(path: "models/m/sub/pipe.json").path, 0o600) == 0)
    try folder.link("models/outside", to: folder.url.appending(component: "outside").path)
    try folder.write("models/sly/config.json", Data("{}".utf8))
    try folder.link("models/sly/secret.json", to: secret.path)
    try await TestServer.run(in: folder) { server in
      #expect(
        try await tree(server, "main?recursive=true").map { $0["path"]?.stringValue } == [
          "config.json", "sub", "sub/x.json", "weights.safetensors",
        ])
      #expect(try await server.send("GET", "/models/m/resolve/main/config.json").body == Data("{}".utf8))
      for path in ["sub/out.json", "sub/up.json", "sub/loop/weights.safetensors", "sub/self.json", "sub/device.json", "sub/pipe.json"] {
        let answer = try await server.send("GET", "/models/m/resolve/main/\(path)")
        #expect(answer.status == 404 && answer.headers["x-error-code"] == "EntryNotFound", "\(path)")
      }
      for name in ["outside", "sly"] {
        let answer = try await server.send("GET", "/api/models/models/\(name)")
        #expect(answer.status == 404 && answer.headers["x-error-code"] == "RepoNotFound", "\(name)")
        #expect(answer.headers["x-error-message"]?.contains("is a link that leaves") == true, "\(name)")
      }
    }
  }

  @Test func aFileThatIsWrittenWhileItIsSentEndsShort() async throws {
    let folder = try TemporaryFolder()
    try Self.fill(folder)
    let size = 4 << 20
    let file = try folder.write("models/m/large.bin", Data(repeating: 7, count: size))
    try await TestServer.run(in: folder) { server in
      #expect(try await server.send("HEAD", "/models/m/resolve/main/large.bin").status == 200)
      let connection = try RawConnection(port: server.port, receiveBuffer: 4096)
      defer { connection.close() }
      await connection.send("GET /models/m/resolve/main/large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      var received = try await connection.receive(limit: 1000)
      let handle = try FileHandle(forUpdating: file)
      try handle.seek(toOffset: UInt64(size - 10))
      try handle.write(contentsOf: Data(repeating: 8, count: 10))
      try handle.close()
      received += try await connection.receiveAll()
      let answer = try #require(RawAnswer(received))
      #expect(answer.headers["content-length"] == "\(size)")
      #expect(answer.body.count < size, "the changed bytes were sent as if they were the promised ones")
      let next = try await server.send("GET", "/models/m/resolve/main/large.bin")
      #expect(next.status == 200 && next.body.suffix(11) == Data([7]) + Data(repeating: 8, count: 10))
    }
  }
}
