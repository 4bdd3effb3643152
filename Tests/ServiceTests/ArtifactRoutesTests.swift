import Foundation
import JobModel
import Service
import Testing

@Suite struct ArtifactRoutesTests {
  private let file = FakeEngine.files["model.safetensors"] ?? Data()
  private var tag: String { "\"\(FakeEngine.sha256(file))\"" }

  @Test func manifestListsTheFiles() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      let answer = try await server.send("GET", "/v1/jobs/\(job.id)/artifacts")
      #expect(answer.status == 200)
      let manifest = try answer.decode(ArtifactManifest.self)
      #expect(manifest == job.result)
      #expect(manifest.files.map(\.path) == FakeEngine.files.keys.sorted())
    }
  }

  @Test func filesComeWhole() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts"
      for (name, content) in FakeEngine.files {
        for method in ["GET", "HEAD"] {
          let answer = try await server.send(method, "\(path)/\(name)")
          #expect(answer.status == 200, "\(method) \(name)")
          #expect(answer.headers["content-length"] == "\(content.count)", "\(method) \(name)")
          #expect(answer.headers["etag"] == "\"\(FakeEngine.sha256(content))\"", "\(method) \(name)")
          #expect(answer.headers["accept-ranges"] == "bytes", "\(method) \(name)")
          #expect(answer.body == (method == "HEAD" ? Data() : content), "\(method) \(name)")
        }
      }
      #expect(try await server.send("GET", path + "/config.json").headers["content-type"] == "application/json")
      #expect(try await server.send("GET", path + "/model%2Esafetensors").body == file)
    }
  }

  @Test func rangesAreExact() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/model.safetensors"
      for (header, expected) in rangeCases {
        let answer = try await server.send("GET", path, ["Range": header])
        let (status, range, body): (Int, String?, Data?) =
          switch expected {
          case .whole: (200, nil, file)
          case .part(let range): (206, "bytes \(range.lowerBound)-\(range.upperBound - 1)/1000", file[range])
          case .notSatisfiable: (416, "bytes */1000", nil)
          }
        #expect(answer.status == status, "\(header)")
        #expect(answer.headers["content-range"] == range, "\(header)")
        #expect(answer.headers["content-length"] == "\(answer.body.count)", "\(header)")
        if let body { #expect(answer.body == body, "\(header)") } else { #expect(try answer.problem().code == .rangeNotSatisfiable) }
      }
    }
  }

  @Test func aRangeMayCrossThePartsReadFromDisk() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/large.bin"
      let answer = try await server.send("GET", path, ["Range": "bytes=1000000-2200000"])
      #expect(answer.status == 206)
      #expect(answer.body == FakeEngine.files["large.bin"]?[1_000_000...2_200_000])
    }
  }

  @Test func conditionsAreHeeded() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/model.safetensors"
      let cases: [(method: String, headers: [String: String], status: Int, length: String?)] = [
        ("GET", ["If-None-Match": tag], 304, nil),
        ("HEAD", ["If-None-Match": tag], 304, nil),
        ("GET", ["If-None-Match": "\"other\", W/\(tag)"], 304, nil),
        ("GET", ["If-None-Match": "*"], 304, nil),
        ("GET", ["If-None-Match": "\"other\""], 200, "1000"),
        ("GET", ["If-None-Match": tag, "Range": "bytes=0-9"], 304, nil),
        ("GET", ["If-Range": tag, "Range": "bytes=0-9"], 206, "10"),
        ("GET", ["If-Range": "\"other\"", "Range": "bytes=0-9"], 200, "1000"),
        ("GET", ["If-Range": "W/" + tag, "Range": "bytes=0-9"], 200, "1000"),
        ("GET", ["If-Range": "Mon, 23 Nov 2026 22:00:00 GMT", "Range": "bytes=0-9"], 200, "1000"),
        ("GET", ["If-Range": "\"other\"", "Range": "bytes=5000-"], 200, "1000"),
        ("HEAD", ["Range": "bytes=0-9"], 200, "1000"),
      ]
      for (method, headers, status, length) in cases {
        let answer = try await server.send(method, path, headers)
        #expect(answer.status == status, "\(method) \(headers)")
        #expect(answer.headers["content-length"] == length, "\(method) \(headers)")
        #expect(answer.headers["etag"] == tag, "\(method) \(headers)")
        if status == 304 { #expect(answer.body.isEmpty) }
      }
    }
  }

  @Test func onlyFilesOfTheManifestAreServed() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      try server.folder.write("data/artifacts/\(job.id)/secret.txt", Data("secret".utf8))
      let path = "/v1/jobs/\(job.id)/artifacts/"
      for name in [
        "secret.txt", "..", "../../gptqd.sqlite", "..%2F..%2Fgptqd.sqlite", "%2Fetc%2Fpasswd", "model.safetensors%00", ".",
        "%", "%ZZ", "MODEL.SAFETENSORS",
      ] {
        let answer = try await server.send("GET", path + name)
        #expect(answer.status == 404, "\(name)")
        _ = try answer.problem()
      }
    }
  }

  @Test func thereIsNoArtifactBeforeTheEnd() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("held")
      _ = await server.engine.nextStart()
      let early = try await server.send("GET", "/v1/jobs/\(running.id)/artifacts")
      #expect(try early.problem().code == .artifactNotFound)
      #expect(try early.problem().detail.contains("running"))
      #expect(try await server.send("GET", "/v1/jobs/\(running.id)/artifacts/config.json").status == 404)
      server.engine.release()
      let failed = try await server.ended(server.submit("broken").id)
      #expect(try await server.send("GET", "/v1/jobs/\(failed.id)/artifacts").problem().detail.contains("failed"))
    }
  }
}
