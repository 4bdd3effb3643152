import Foundation
import JobModel
import Service
import StrictJSON
import Testing

/// Hub paths with tokens: fields that clients tell a missing token from a wrong one by.
@Suite struct HubAccessTests {
  private static let invalid = "Invalid credentials in Authorization header"

  @Test func aTokenIsNeeded() async throws {
    let (reader, writer) = (try AccessToken.make(name: "reader", scope: .read), try AccessToken.make(name: "writer", scope: .write))
    let lines = [reader, writer].map(\.token.configurationLine).joined(separator: ",")
    try await TestServer.run(["GPTQD_AUTH_TOKENS": lines, "GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"]) { server in
      let submitted = try await server.post(
        #"{"model":"quick","quantization":{"method":"rtn"}}"#, ["Authorization": "Bearer \(writer.text)"]
      ).decode(Job.self)
      let bearer = ["Authorization": "Bearer \(reader.text)"]
      while try await !server.send("GET", "/v1/jobs/\(submitted.id)?wait=20", bearer).decode(Job.self).status.isEnded {}
      let paths = [
        "/api/models/jobs/\(submitted.id)", "/api/models/jobs/\(submitted.id)/tree/main", "/jobs/\(submitted.id)/resolve/main/config.json",
        "/api/models/models/quick", "/models/quick/resolve/main/config.json", "/api/models/jobs/\(submitted.id)/revision/main",
      ]
      for path in paths {
        for method in ["GET", "HEAD"] {
          for token in [reader.text, writer.text] {
            #expect(try await server.send(method, path, ["Authorization": "Bearer \(token)"]).status == 200, "\(method) \(path)")
          }
          let without = try await server.send(method, path)
          #expect(without.status == 401 && without.headers["x-error-code"] == "RepoNotFound", "\(method) \(path)")
          #expect(without.headers["x-repo-commit"] == nil && without.headers["etag"] == nil, "\(method) \(path)")
          for wrong in ["Bearer hf_wrong", "Bearer", "Bearer \(reader.text)x", "Basic dXNlcjpwYXNz", ""] {
            let answer = try await server.send(method, path, ["Authorization": wrong])
            #expect(answer.status == 401 && answer.headers["x-error-message"] == Self.invalid, "\(method) \(path) \(wrong)")
            #expect(answer.headers["x-error-code"] == nil, "\(method) \(path) \(wrong)")
          }
        }
      }
      // Nobody learns which repositories there are.
      let (there, nowhere) = (try await server.send("GET", paths[3]), try await server.send("GET", "/api/models/models/nothing"))
      #expect(there.status == nowhere.status && there.headers["x-error-message"] == nowhere.headers["x-error-message"])
      // The rest of the API keeps its own.
      let own = try await server.send("GET", "/v1/jobs", ["Authorization": "Bearer hf_wrong"])
      #expect(own.status == 401 && own.headers["x-error-message"] == nil && own.headers["x-error-code"] == nil)
    }
  }

  @Test func whoAmI() async throws {
    let (text, token) = try AccessToken.make(name: "reader", scope: .read)
    try await TestServer.run(["GPTQD_AUTH_TOKENS": token.configurationLine]) { server in
      let answer = try await server.send("GET", "/api/whoami-v2", ["Authorization": "Bearer \(text)"])
      let identity = try JSONValue(parsing: Array(answer.body))
      #expect(identity["name"]?.stringValue == "reader" && identity["type"]?.stringValue == "user")
      #expect(identity["orgs"]?.arrayValue?.isEmpty == true)
      #expect(identity["auth"]?["accessToken"]?["role"]?.stringValue == "read")
      let wrong = try await server.send("GET", "/api/whoami-v2", ["Authorization": "Bearer hf_wrong"])
      #expect(wrong.status == 401 && wrong.headers["x-error-message"] == Self.invalid)
      let without = try await server.send("GET", "/api/whoami-v2")
      #expect(without.status == 401 && without.headers["x-error-code"] == nil)
    }
    try await TestServer.run { server in
      let identity = try JSONValue(parsing: Array(try await server.send("GET", "/api/whoami-v2").body))
      #expect(identity["name"]?.stringValue == "local")
    }
  }
}
