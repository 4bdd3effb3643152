import Foundation
import JobModel
import Testing

/// Who gets in whose way: uploads, jobs, limits, cut connections.
@Suite struct UploadConflictTests {
  private static let path = UploadRoutesTests.path
  private static let bytes = UploadRoutesTests.bytes

  /// Sends the head of an upload and the first bytes of its body.
  private func begin(
    _ server: TestServer, _ bytes: Data, of total: Int, _ headers: [String: String] = [:]
  ) async throws -> RawConnection {
    let connection = try RawConnection(port: server.port)
    let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    await connection.send("PUT \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(total)\r\n\(fields)\r\n")
    await connection.send(bytes)
    return connection
  }

  /// How much of the file has come, once it is at least so much.
  private func received(_ server: TestServer, atLeast count: Int) async throws -> Int {
    for _ in 0..<3000 {
      let answer = try await server.send("HEAD", Self.path)
      if answer.headers["upload-complete"] == "?0", let offset = answer.headers["upload-offset"].flatMap({ Int($0) }), offset >= count {
        return offset
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("\(count) bytes didn't come")
    return 0
  }

  @Test(arguments: [true, false])
  func anUploadThatIsCutOffGoesOn(isHashed: Bool) async throws {
    try await TestServer.run { server in
      let digest = isHashed ? ["Repr-Digest": digestField(Self.bytes)] : [:]
      let connection = try await begin(server, Self.bytes.prefix(700_000), of: Self.bytes.count, digest)
      _ = try await received(server, atLeast: 1)
      connection.close()
      // All that had come, the last bytes before the cut too.
      let offset = try await received(server, atLeast: 700_000)
      #expect(offset == 700_000)
      #expect(!server.exists("models/mine"))
      let rest = Self.bytes[offset...]
      // Until the daemon has seen the end of the connection, the upload goes on there.
      var answer: RawAnswer
      repeat {
        answer = try await server.put(
          Self.path, rest,
          digest.merging(["Content-Range": "bytes \(offset)-\(Self.bytes.count - 1)/\(Self.bytes.count)"]) { $1 })
      } while answer.status == 409
      #expect(answer.status == 201)
      #expect(try answer.decode(StoredFile.self).sha256 == FakeEngine.sha256(Self.bytes))
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
    }
  }

  @Test func theOldFileStaysUntilTheNewOneIsWhole() async throws {
    try await TestServer.run { server in
      #expect(try await server.put(Self.path, Data("old".utf8)).status == 201)
      let connection = try await begin(server, Self.bytes.prefix(700_000), of: Self.bytes.count)
      _ = try await received(server, atLeast: 1)
      #expect(try server.stored("models/mine/model.safetensors") == Data("old".utf8))
      let file = try await server.send("GET", Self.path).decode(StoredFile.self)
      #expect(file.sha256 == FakeEngine.sha256(Data("old".utf8)) && file.upload?.size == Self.bytes.count)
      await connection.send(Self.bytes[700_000...])
      let answer = try #require(RawAnswer(try await connection.receive()))
      connection.close()
      #expect(answer.status == 200)
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
    }
  }

  @Test func ofSeveralUploadsOfAFileOneGoesOn() async throws {
    try await TestServer.run { server in
      let connection = try await begin(server, Self.bytes.prefix(700_000), of: Self.bytes.count)
      _ = try await received(server, atLeast: 1)
      for (method, path) in [("PUT", Self.path), ("DELETE", Self.path), ("DELETE", "/v1/models/mine")] {
        let answer = try await server.send(method, path, body: method == "PUT" ? Data("x".utf8) : nil)
        #expect(answer.status == 409, "\(method) \(path)")
        #expect(try answer.problem().code == .uploadInProgress)
        #expect(answer.headers["retry-after"] != nil)
      }
      #expect(try await server.put("/v1/models/mine/files/other", Data("x".utf8)).status == 201)
      await connection.send(Self.bytes[700_000...])
      #expect(try #require(RawAnswer(try await connection.receive())).status == 201)
      connection.close()
      #expect(try server.stored("models/mine/model.safetensors") == Self.bytes)
    }
  }

  /// Whichever wins: the file is one of those that were sent, as a whole.
  @Test func whatManySendAtOnceIsOneOfThem() async throws {
    try await TestServer.run { server in
      let files = (0..<8).map { number in Data(repeating: UInt8(number), count: 900_000) }
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for file in files { group.addTask { try await server.put(Self.path, file, ["Repr-Digest": digestField(file)]).status } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.allSatisfy { [200, 201, 409].contains($0) } && statuses.count { $0 == 201 } == 1)
      let stored = try server.stored("models/mine/model.safetensors")
      #expect(files.contains(stored))
      #expect(try await server.send("GET", Self.path).decode(StoredFile.self).sha256 == FakeEngine.sha256(stored))
      #expect(try server.unfinished().isEmpty)
    }
  }

  @Test func tooManyAreToldToWait() async throws {
    try await TestServer.run(["GPTQD_UPLOADS_MAX_CONCURRENT": "1"]) { server in
      let connection = try await begin(server, Self.bytes.prefix(700_000), of: Self.bytes.count)
      _ = try await received(server, atLeast: 1)
      let answer = try await server.put("/v1/models/other/files/x", Data("x".utf8))
      #expect(answer.status == 429)
      #expect(answer.headers["retry-after"] == "2")
      connection.close()
    }
  }

  @Test func countsAreLimited() async throws {
    let limits = ["GPTQD_UPLOADS_MAX_MODELS": "2", "GPTQD_UPLOADS_MAX_FILES": "2", "GPTQD_UPLOADS_MAX_DATASETS": "1"]
    try await TestServer.run(limits) { server in
      let row = Data("{\"text\": \"a\"}".utf8)
      for (path, status) in [
        ("models/a/files/1", 201), ("models/a/files/2", 201), ("models/a/files/3", 429), ("models/a/files/2", 200),
        ("models/b/files/1", 201),
        ("models/c/files/1", 429), ("datasets/a", 201), ("datasets/b", 429), ("datasets/a", 200),
      ] {
        let answer = try await server.put("/v1/" + path, row)
        #expect(answer.status == status, "\(path)")
        guard status == 429 else { continue }
        #expect(try answer.problem().code == .tooManyUploads)
        #expect(answer.headers["retry-after"] != nil)
      }
    }
  }

  /// Who asks first is told before the body comes.
  @Test func whatCantBeTakenIsRefusedBeforeItsBody() async throws {
    try await TestServer.run(["GPTQD_UPLOADS_MAX_FILE_BYTES": "1TiB"]) { server in
      let tera = 1 << 40
      for (path, length, more, status) in [
        (Self.path, tera + 1, "", 413), (Self.path, tera, "", 507), (Self.path, 10, "Content-Range: bytes 0-9/\(tera + 1)\r\n", 413),
        (Self.path, 10, "Content-Range: bytes 0-9/\(tera)\r\n", 507), ("/v1/models/quick/files/x", 10, "", 409), ("/v1/jobs", 10, "", 405),
        ("/v1/datasets/..", 10, "", 400), (Self.path, 10, "Content-Range: bytes 5-14/20\r\n", 409),
      ] {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send("PUT \(path) HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\(more)\r\n")
        let answer = try #require(RawAnswer(try await connection.receiveAll()))
        #expect(answer.status == status, "\(path) \(length) \(more)")
        #expect(answer.headers["connection"] == "close")
        #expect(try answer.problem().code != .internal)
      }
      #expect(try server.everythingUploaded().isEmpty)
    }
  }

  @Test func whatCanBeTakenIsAskedFor() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      for status in [201, 200] {
        await connection.send("PUT \(Self.path) HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(String(decoding: try await connection.receive(), as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        await connection.send("abc")
        #expect(try #require(RawAnswer(try await connection.receive())).status == status)
      }
    }
  }

  @Test func jobsAndUploadsExcludeEachOther() async throws {
    try await TestServer.run { server in
      for name in ["held", "quick"] { try FileManager.default.removeItem(at: server.folder.url.appending(path: "models/\(name)")) }
      let (config, data) = ("/v1/models/held/files/config.json", "/v1/datasets/lines")
      let row = Data("{\"text\": \"a\"}".utf8)
      for (path, body) in [(config, Data("{}".utf8)), (data, row), ("/v1/models/quick/files/config.json", Data("{}".utf8))] {
        #expect(try await server.put(path, body).status == 201)
      }
      let job = try await server.post(#"{"model":"held","calibration":{"dataset":"lines"}}"#).decode(Job.self)
      for (method, path) in [
        ("PUT", config), ("PUT", "/v1/models/held/files/new"), ("DELETE", config), ("DELETE", "/v1/models/held"), ("PUT", data),
        ("DELETE", data),
      ] {
        let answer = try await server.send(method, path, body: method == "PUT" ? row : nil)
        #expect(answer.status == 409, "\(method) \(path)")
        let problem = try answer.problem()
        #expect(problem.code == .inUse && problem.detail.contains(job.id.text), "\(method) \(path)")
      }
      server.engine.release()
      #expect(try await server.ended(job.id).status == .succeeded)
      #expect(try await server.send("DELETE", data).status == 204)

      // The other way round.
      let part = ["Content-Range": "bytes 0-9/100"]
      #expect(try await server.put("/v1/models/quick/files/more", Data(count: 10), part).status == 202)
      for body in [#"{"model":"quick","quantization":{"method":"rtn"}}"#] {
        let answer = try await server.post(body)
        #expect(answer.status == 409)
        let problem = try answer.problem()
        #expect(problem.code == .uploadUnfinished && problem.detail.contains("10 of 100 bytes of more of the model quick"))
      }
      #expect(try await server.send("DELETE", "/v1/models/quick/files/more").status == 204)
      #expect(try await server.submit("quick").status == .queued)
    }
  }

  @Test func aDatasetIsCheckedWhileItComes() async throws {
    try await TestServer.run { server in
      let path = "/v1/datasets/lines"
      let good = Data((0..<60_000).map { "{\"text\": \"line \($0) ✓\"}\n" }.joined().utf8)
      let created = try await server.put(path, good, ["Repr-Digest": digestField(good)])
      #expect(created.status == 201)
      let dataset = try created.decode(StoredDataset.self)
      #expect(
        dataset.rows == 60_000 && dataset.size == good.count && dataset.sha256 == FakeEngine.sha256(good) && dataset.source == .uploaded)
      let bad = await badLine(good)
      let answer = try await server.put(path, bad)
      #expect(answer.status == 422)
      #expect(try answer.problem().detail.hasPrefix("line 40001: text must be a string"))
      #expect(try await server.put("/v1/datasets/other", Data()).status == 422)
      #expect(try await server.send("GET", "/v1/datasets/other").problem().code == .datasetNotFound)
      #expect(try server.stored("datasets/lines.jsonl") == good)
      #expect(try await server.send("GET", path).decode(StoredDataset.self).rows == 60_000)
      #expect(try server.unfinished().isEmpty)
      // In parts that end within lines and characters.
      var offset = 0
      while offset < good.count {
        let end = min(offset + 700_001, good.count)
        let status = try await server.put(
          "/v1/datasets/parts", good[offset..<end], ["Content-Range": "bytes \(offset)-\(end - 1)/\(good.count)"]
        ).status
        #expect(status == (end == good.count ? 201 : 202))
        offset = end
      }
      #expect(try await server.send("GET", "/v1/datasets/parts").decode(StoredDataset.self).rows == 60_000)
    }
  }

  private func badLine(_ good: Data) async -> Data {
    var lines = good.split(separator: UInt8(ascii: "\n"))
    lines[40_000] = Data("{\"text\": 5}".utf8)[...]
    return Data(lines.joined(separator: [UInt8(ascii: "\n")]))
  }
}
