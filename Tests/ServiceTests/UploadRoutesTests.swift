import Crypto
import Foundation
import JobModel
import Testing

@Suite struct UploadRoutesTests {
  static let path = "/v1/models/mine/files/model.safetensors"
  /// Of several writes to disk.
  static let bytes = Data((0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) })

  @Test func aFileIsUploadedReplacedAndDeleted() async throws {
    try await TestServer.run { server in
      let created = try await server.put(Self.path, Self.bytes, ["Repr-Digest": digestField(Self.bytes)])
      #expect(created.status == 201)
      #expect(created.headers["location"] == Self.path)
      let file = try created.decode(StoredFile.self)
      #expect(file.path == "model.safetensors" && file.size == Self.bytes.count && file.sha256 == FakeEngine.sha256(Self.bytes))
      #expect(file.upload == nil && file.uploadedAt != nil)
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)

      #expect(try await server.put(Self.path, Data("new".utf8)).status == 200)
      #expect(try server.stored("models/mine/model.safetensors") == Data("new".utf8))
      #expect(try await server.put("/v1/models/mine/files/a/b/empty.txt", Data()).status == 201)

      let model = try await server.send("GET", "/v1/models/mine").decode(StoredModel.self)
      #expect(model.files?.map(\.path) == ["a/b/empty.txt", "model.safetensors"])
      #expect(model.size == 3 && model.source == .uploaded && model.deletable && model.unfinished == 0)
      let head = try await server.send("HEAD", Self.path)
      #expect(head.status == 200)
      #expect(head.headers["upload-complete"] == "?1" && head.headers["upload-offset"] == "3")

      #expect(try await server.send("DELETE", "/v1/models/mine/files/a/b/empty.txt").status == 204)
      #expect(!server.exists("models/mine/a"))
      #expect(try await server.send("DELETE", "/v1/models/mine/files/a/b/empty.txt").status == 404)
      #expect(try await server.send("DELETE", "/v1/models/mine").status == 204)
      #expect(!server.exists("models/mine"))
      for method in ["GET", "DELETE"] {
        #expect(try await server.send(method, "/v1/models/mine").problem().code == .modelNotFound)
        #expect(try await server.send(method, Self.path).problem().code == .modelNotFound)
      }
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func listsShowRootsToo() async throws {
    try await TestServer.run { server in
      for name in ["zebra", "ant"] { #expect(try await server.put("/v1/models/\(name)/files/config.json", Data("{}".utf8)).status == 201) }
      let all = try await server.send("GET", "/v1/models").decode(APIList<StoredModel>.self)
      #expect(all.data.map(\.name) == ["ant", "broken", "held", "quick", "stubborn", "unlucky", "unplannable", "zebra"])
      #expect(all.data.map(\.deletable) == [true, false, false, false, false, false, false, true])
      var names: [String] = []
      var after = ""
      while true {
        let page = try await server.send("GET", "/v1/models?limit=3" + after).decode(APIList<StoredModel>.self)
        #expect(page.data.count <= 3)
        names += page.data.map(\.name)
        guard page.hasMore, let last = page.lastId else { break }
        after = "&after=\(last)"
      }
      #expect(names == all.data.map(\.name))
      let root = try await server.send("GET", "/v1/models/quick").decode(StoredModel.self)
      #expect(root.source == .root && root.files?.map(\.path) == ["config.json"] && root.files?[0].size == 2)
      #expect(try await server.send("GET", "/v1/models/quick/files/config.json").decode(StoredFile.self).sha256 == nil)
      #expect(try await server.send("GET", "/v1/datasets").decode(APIList<StoredDataset>.self).data.map(\.name) == ["text"])
      for path in ["/v1/models/quick", "/v1/models/quick/files/config.json", "/v1/datasets/text"] {
        let answer = try await server.send("DELETE", path)
        #expect(answer.status == 403)
        #expect(try answer.problem().code == .forbidden)
      }
    }
  }

  /// One name never means two things.
  @Test func aNameOfTheRootsIsTaken() async throws {
    try await TestServer.run { server in
      for path in ["/v1/models/quick/files/config.json", "/v1/models/quick/files/new.json", "/v1/datasets/text"] {
        let answer = try await server.put(path, Data("{\"text\": \"a\"}".utf8))
        #expect(answer.status == 409, "\(path)")
        #expect(try answer.problem().detail.contains("choose another name"))
      }
      #expect(!server.exists("models/quick"))
    }
  }

  @Test func aFileAndAFolderCantHaveOneName() async throws {
    try await TestServer.run { server in
      let first = try await server.put("/v1/models/m/files/a/b", Data("x".utf8))
      #expect(first.status == 201)
      for path in ["a", "a/b/c"] { #expect(try await server.put("/v1/models/m/files/\(path)", Data("y".utf8)).status == 409, "\(path)") }
      #expect(try server.stored("models/m/a/b") == Data("x".utf8))
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func wrongDigestsLeaveNothing() async throws {
    try await TestServer.run { server in
      let wrong = digestField(Data("other".utf8))
      for (name, value) in [("Repr-Digest", wrong), ("Content-Digest", wrong)] {
        let answer = try await server.put(Self.path, Self.bytes, [name: value])
        #expect(answer.status == 400)
        #expect(try answer.problem().code == .digestMismatch)
        #expect(try await server.send("GET", Self.path).status == 404)
      }
      #expect(!server.exists("models/mine"))
      #expect(try server.unfinished().isEmpty)
      // What was there stays.
      #expect(try await server.put(Self.path, Self.bytes).status == 201)
      #expect(try await server.put(Self.path, Data("new".utf8), ["Repr-Digest": wrong]).status == 400)
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
      #expect(try await server.send("GET", Self.path).decode(StoredFile.self).sha256 == FakeEngine.sha256(Self.bytes))
    }
  }

  @Test func partsMakeAFile() async throws {
    try await TestServer.run { server in
      let (bytes, total) = (Self.bytes, Self.bytes.count)
      let whole = ["Repr-Digest": digestField(bytes)]
      func part(_ range: Range<Int>, of total: Int = Self.bytes.count, _ more: [String: String] = [:]) async throws -> RawAnswer {
        let headers = ["Content-Range": "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(total)"]
        return try await server.put(Self.path, bytes[range], whole.merging(headers) { $1 }.merging(more) { $1 })
      }
      let early = try await part(10..<20)
      #expect(early.status == 409)
      #expect(early.headers["upload-offset"] == "0")
      let first = try await part(0..<600_000, of: total, ["Content-Digest": digestField(bytes[0..<600_000])])
      #expect(first.status == 202)
      #expect(first.headers["upload-offset"] == "600000" && first.headers["upload-complete"] == "?0")
      #expect(try first.decode(StoredFile.self).upload?.received == 600_000)
      let head = try await server.send("HEAD", Self.path)
      #expect(head.headers["upload-offset"] == "600000" && head.headers["upload-length"] == "\(total)")
      // Nothing of these counts.
      #expect(try await part(700_000..<800_000).headers["upload-offset"] == "600000")
      #expect(try await part(600_000..<700_000, of: total + 1).status == 409)
      #expect(try await part(600_000..<700_000, of: total, ["Repr-Digest": digestField(Data())]).status == 409)
      #expect(try await part(600_000..<700_000, of: total, ["Content-Digest": digestField(Data())]).problem().code == .digestMismatch)
      #expect(try await server.send("GET", Self.path).decode(StoredFile.self).upload?.received == 600_000)
      // A part whose answer was lost comes again.
      #expect(try await part(500_000..<700_000).status == 202)
      #expect(try await part(700_000..<total).status == 201)
      #expect(try server.stored("models/mine/model.safetensors") == bytes)
      #expect(try await server.send("GET", Self.path).decode(StoredFile.self).sha256 == FakeEngine.sha256(bytes))
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func aWrongWholeAfterItsPartsLeavesNothing() async throws {
    try await TestServer.run { server in
      let headers = ["Repr-Digest": digestField(Data("abcdef".utf8))]
      #expect(try await server.put(Self.path, Data("abc".utf8), headers.merging(["Content-Range": "bytes 0-2/6"]) { $1 }).status == 202)
      let answer = try await server.put(Self.path, Data("xyz".utf8), headers.merging(["Content-Range": "bytes 3-5/6"]) { $1 })
      #expect(try answer.problem().code == .digestMismatch)
      #expect(try await server.send("GET", "/v1/models/mine").status == 404)
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func chunkedBodiesAreTaken() async throws {
    try await TestServer.run(["GPTQD_UPLOADS_MAX_FILE_BYTES": "2000000"]) { server in
      func chunked(_ bytes: Data, _ more: String = "") async throws -> RawAnswer {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(
          "PUT \(Self.path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\(more)\r\n")
        await connection.send(Data("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Data("\r\n0\r\n\r\n".utf8))
        return try #require(RawAnswer(try await connection.receiveAll()))
      }
      #expect(try await chunked(Self.bytes).status == 201)
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
      for size in [2_000_001, 20_000_000] {
        let large = try await chunked(Data(count: size))
        #expect(large.status == 413)
        #expect(try large.problem().detail.contains("uploads.max_file_bytes"))
      }
      // More and fewer bytes than the range has.
      for range in ["0-9/100", "0-1999/3000"] {
        #expect(try await chunked(Data(count: 1000), "Content-Range: bytes \(range)\r\n").status == 400, "\(range)")
      }
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func hostileNamesAndHeadersAreRefusedAndLeaveNothing() async throws {
    let long = String(repeating: "x", count: 97)
    let paths = [
      "/v1/models/mine/files/", "/v1/models/mine/files", "/v1/models/mine/files//x", "/v1/models/mine/files/a//b",
      "/v1/models/mine/files/x/",
      "/v1/models/mine/files/..", "/v1/models/mine/files/../../x", "/v1/models/mine/files/%2E%2E/x", "/v1/models/mine/files/a/%2e%2e/x",
      "/v1/models/mine/files/.", "/v1/models/mine/files/.x", "/v1/models/mine/files/a/.x", "/v1/models/mine/files/a%2Fb",
      "/v1/models/mine/files/%2Fetc%2Fpasswd", "/v1/models/mine/files/a%00b", "/v1/models/mine/files/a%0D%0Ab", "/v1/models/mine/files/%FF",
      "/v1/models/mine/files/a%", "/v1/models/mine/files/a/b/c/d/e/f/g/h/i", "/v1/models/mine/files/\(long)", "/v1/models/\(long)/files/x",
      "/v1/models/../files/x", "/v1/models/%2E%2E/files/x", "/v1/models/.x/files/x", "/v1/models/a%2Fb/files/x",
      "/v1/models/%C3%A4/files/x",
      "/v1/models//files/x", "/v1/datasets/..", "/v1/datasets/%2E%2E", "/v1/datasets/.x", "/v1/datasets/a%2Fb", "/v1/datasets/a/b",
      "/v1/datasets/\(long)", "/v1/datasets/", "/v1/models/mine", "/v1/models", "/v1/jobs/x", Self.path + "?x=1",
    ]
    let headers: [[String: String]] = [
      ["Content-Range": "bytes 0-0/*"], ["Content-Range": "bytes */12"], ["Content-Range": "bytes 0-10/12"],
      ["Content-Range": "bytes 5-1/12"], ["Content-Range": "bytes 0-11/12, bytes 0-11/12"], ["Content-Range": "bytes 0-11/11"],
      ["Content-Range": "bytes 0-11/99999999999999999999"], ["Content-Range": "lines 0-11/12"], ["Content-Range": ""],
      ["Content-Range": "bytes 0-11/12\r\nContent-Range: bytes 0-11/12"], ["Repr-Digest": "sha-256=:AAAA:"], ["Repr-Digest": ""],
      ["Repr-Digest": "md5=:AAAA:"], ["Content-Digest": "sha-256"],
      ["Repr-Digest": digestField(Data("a".utf8)), "Content-Digest": digestField(Data("b".utf8))], ["Content-Encoding": "gzip"],
      ["Content-Encoding": "br, gzip"], ["Content-Range": "bytes 0-11/9223372036854775807"],
    ]
    try await TestServer.run { server in
      let body = Data("{\"text\": \"\"}".utf8)
      for path in paths {
        let answer = try await server.put(path, body)
        #expect([400, 404, 405].contains(answer.status), "\(path.prefix(80)): \(answer.status)")
        #expect(try answer.problem().code != .internal)
        #expect(answer.body.count < 2000)
      }
      for fields in headers {
        let answer = try await server.put(Self.path, body, fields)
        #expect([400, 413, 415].contains(answer.status), "\(fields): \(answer.status)")
        #expect(try answer.problem().code != .internal)
      }
      #expect(try server.everythingUploaded().isEmpty)
      #expect(try await server.send("GET", "/v1/models/mine").status == 404)
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  /// A link that somebody put into the data folder leads nowhere.
  @Test func linksAreNotFollowed() async throws {
    try await TestServer.run { server in
      for path in ["a/b", "c"] { #expect(try await server.put("/v1/models/m/files/\(path)", Data("x".utf8)).status == 201) }
      let uploads = server.folder.url.appending(path: "data/uploads/models/m")
      let outside = try server.folder.write("outside/b", Data("outside".utf8)).deletingLastPathComponent()
      try FileManager.default.removeItem(at: uploads.appending(component: "a"))
      try FileManager.default.createSymbolicLink(at: uploads.appending(component: "a"), withDestinationURL: outside)
      #expect(try await server.put("/v1/models/m/files/a/b", Data("y".utf8)).status == 409)
      #expect(try await server.put("/v1/models/m/files/a/c", Data("y".utf8)).status == 409)
      #expect(try await server.send("DELETE", "/v1/models/m/files/a/b").status == 204)
      #expect(try Data(contentsOf: outside.appending(component: "b")) == Data("outside".utf8))
      #expect(try await server.send("DELETE", "/v1/models/m").status == 204)
      #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["b"])
    }
  }
}

func digestField(_ data: Data) -> String { "sha-256=:\(Data(SHA256.hash(data: data)).base64EncodedString()):" }

extension TestServer {
  func put(_ path: String, _ bytes: Data, _ headers: [String: String] = [:]) async throws -> RawAnswer {
    try await send("PUT", path, headers, body: bytes)
  }

  /// - Parameter path: Below the folder of uploads.
  func stored(_ path: String) throws -> Data { try Data(contentsOf: folder.url.appending(path: "data/uploads/\(path)")) }

  func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: folder.url.appending(path: "data/uploads/\(path)").path) }

  func unfinished() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: "data/uploads/unfinished").path)
  }

  /// All that is in the folders of uploads.
  func everythingUploaded() throws -> [String] {
    try ["models", "datasets", "unfinished"].flatMap {
      try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: "data/uploads/\($0)").path)
    }
  }
}
