import Foundation
import JobModel
import Service
import Testing

/// Paths that mean something else to somebody who decodes them once more, or not at all.
@Suite struct HubHostilePathTests {
  static let escapes = [
    "../config.json", "..%2Fconfig.json", "%2E%2E%2Fconfig.json", "%2e%2e/secret.json", "..%252Fsecret.json", "%252E%252E%252Fsecret.json",
    "sub/../config.json", "sub%2F..%2Fconfig.json", "sub/%2E%2E/config.json", "sub/./x.json", "./config.json", "%2E%2Fconfig.json",
    "/config.json%00", "config.json%00", "config.json%00.png", "%00", "config.json%2F", "config.json%20", "%20config.json", "CONFIG.json",
    "config.json.", "config%252Ejson", "config.json%3Fx", "config.json%23x", "config.json;x=y", "sub%5Cx.json", "sub\\x.json",
    "..%5C..%5Csecret.json", "%2Fetc%2Fpasswd", "etc/passwd", "%c0%ae%c0%ae%2Fsecret.json", "%ff%fe", "%", "%2", "%zz", "config.json%",
    "%2Ehidden", ".hidden", "sub/.hidden", "..;/secret.json", "%u002e%u002e/secret.json", "main/config.json", "*", "**", ":path",
    String(repeating: "a", count: 5000), String(repeating: "%2E%2E%2F", count: 300) + "etc%2Fpasswd",
    Array(repeating: "..", count: 500).joined(separator: "/") + "/etc/passwd", "caf%C3%A9.json", "cafe%CC%81.json",
  ]

  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("secret.json", Data("secret".utf8))
    try folder.write("models/secret.json", Data("secret".utf8))
    try folder.write("models/m/config.json", Data("{}".utf8))
    try folder.write("models/m/sub/x.json", Data("{}".utf8))
    try folder.write("models/m/.hidden", Data("secret".utf8))
    try folder.write("models/m/sub/.hidden", Data("secret".utf8))
    return folder
  }

  @Test func noPathLeavesItsRepository() async throws {
    try await TestServer.run(in: try folder()) { server in
      let job = try await server.succeededJob()
      for path in Self.escapes {
        for prefix in [
          "/jobs/\(job.id)/resolve/main/", "/models/m/resolve/main/", "/api/models/models/m/tree/main/",
          "/api/models/jobs/\(job.id)/tree/main/",
        ] {
          let answer = try await server.send("GET", prefix + path)
          #expect(answer.status == 404 || answer.status == 400, "\(prefix)\(path.prefix(80)): \(answer.status)")
          if answer.status == 404 { #expect(answer.headers["x-error-code"]?.hasSuffix("NotFound") == true, "\(prefix)\(path.prefix(80))") }
          #expect(answer.body != Data("secret".utf8) && answer.body != Data("{}".utf8), "\(prefix)\(path.prefix(80))")
        }
      }
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  @Test func noNameIsAPath() async throws {
    try await TestServer.run(in: try folder()) { server in
      let names = [
        "..", "%2E%2E", "%2E", ".", "m%2Fsub", "m%2F..%2Fm", "..%2Fmodels%2Fm", "%252E%252E", "m%00", "%00", "m%20", "M", "m%2F", "%2Fm",
        "m%5C",
        "%6D%00x", "%ff", "m%", String(repeating: "m", count: 4000), "secret.json",
      ]
      for name in names {
        for path in [
          "/api/models/models/\(name)", "/api/models/models/\(name)/tree/main", "/models/\(name)/resolve/main/config.json",
          "/api/models/jobs/\(name)", "/jobs/\(name)/resolve/main/config.json",
        ] {
          let answer = try await server.send("GET", path)
          #expect(answer.status == 404 || answer.status == 400, "\(path.prefix(80)): \(answer.status)")
          if answer.status == 404 { #expect(answer.headers["x-error-code"] == "RepoNotFound", "\(path.prefix(80))") }
          let message = try #require(answer.headers["x-error-message"])
          #expect(message.utf8.count <= 500 && message.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "\(path.prefix(80))")
        }
      }
    }
  }

  @Test func noRevisionIsAPath() async throws {
    try await TestServer.run(in: try folder()) { server in
      for revision in [
        "..", "%2E%2E", "main%2F..", "MAIN", "main%00", "main%20", "%6Dain%0A", "%256Dain", "refs%2Fheads%2Fmain", "HEAD", "~", "main~1",
      ] {
        for path in [
          "/api/models/models/m/revision/\(revision)", "/api/models/models/m/tree/\(revision)", "/models/m/resolve/\(revision)/config.json",
        ] {
          let answer = try await server.send("GET", path)
          #expect(answer.status == 404, "\(path): \(answer.status)")
          #expect(answer.headers["x-error-code"] == "RevisionNotFound", "\(path)")
        }
      }
      // Decoded once, this is what it says.
      #expect(try await server.send("GET", "/models/%6D/resolve/%6Dain/%63onfig.json").body == Data("{}".utf8))
    }
  }

  @Test func errorsCannotCarryFieldsOfTheirOwn() async throws {
    try await TestServer.run(in: try folder()) { server in
      let answer = try await server.send("GET", "/models/m/resolve/main/x%0D%0ASet-Cookie:%20a=b%0D%0A%0D%0Abody")
      #expect(answer.status == 404 && answer.headers["set-cookie"] == nil)
      #expect(answer.headers["x-error-message"] == "models/m has no x??Set-Cookie: a=b????body")
    }
  }
}
