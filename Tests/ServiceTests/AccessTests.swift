import Foundation
import JobModel
import Service
import Testing

@Suite struct AccessTests {
  private struct Tokens {
    let read: String
    let write: String
    let settings: [String: String]

    init(_ more: [String: String] = [:]) throws {
      let (reader, writer) = (try AccessToken.make(name: "reader", scope: .read), try AccessToken.make(name: "writer", scope: .write))
      (read, write) = (reader.text, writer.text)
      let lines = [reader, writer].map(\.token.configurationLine).joined(separator: ",")
      settings = ["GPTQD_AUTH_TOKENS": lines].merging(more) { $1 }
    }
  }

  private static func bearer(_ token: String) -> [String: String] { ["Authorization": "Bearer \(token)"] }

  /// Every route that there is, and paths that aren't.
  @Test func everyRouteNeedsItsScope() async throws {
    let tokens = try Tokens(["GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"])
    try await TestServer.run(tokens.settings) { server in
      let unknown = [
        "POST /", "POST /dashboard/app.js", "POST /healthz", "GET /nowhere", "POST /v1/jobs/x/y/z", "DELETE /v1/jobs",
        "PROPFIND /v1/jobs/x", "GET /healthz/x",
      ]
      #expect(server.endpoints.count > 10)
      for endpoint in server.endpoints + unknown {
        let (method, path) = try #require(endpoint.firstIndex(of: " ").map { (String(endpoint[..<$0]), endpoint[$0...].dropFirst()) })
        let answers = [
          try await server.send(method, String(path)), try await server.send(method, String(path), Self.bearer("gptqd_wrong")),
          try await server.send(method, String(path), Self.bearer(tokens.read)),
          try await server.send(method, String(path), Self.bearer(tokens.write)),
        ]
        if method == "GET", ["/", "/healthz", "/readyz", "/openapi.json", "/dashboard/:file"].contains(path) {
          #expect(Set(answers.map(\.status)) == [path.contains(":") ? 404 : 200], "\(endpoint)")
          continue
        }
        for answer in answers.prefix(2) {
          #expect(answer.status == 401, "\(endpoint)")
          #expect(try answer.problem().code == .unauthorized, "\(endpoint)")
        }
        #expect(answers[0].headers["www-authenticate"] == #"Bearer realm="gptqd""#)
        #expect(answers[1].headers["www-authenticate"] == #"Bearer realm="gptqd", error="invalid_token""#)
        #expect((answers[2].status == 403) == (method != "GET"), "\(endpoint)")
        if method != "GET" { #expect(try answers[2].problem().code == .forbidden) }
        #expect(![401, 403].contains(answers[3].status), "\(endpoint)")
      }
    }
  }

  @Test func aJobIsMadeAndReadWithTokens() async throws {
    let tokens = try Tokens()
    try await TestServer.run(tokens.settings) { server in
      let json = #"{"model":"quick","quantization":{"method":"rtn"}}"#
      for (token, status) in [(tokens.read, 403), (tokens.write, 202)] {
        #expect(try await server.post(json, Self.bearer(token)).status == status)
      }
      let list = try await server.send("GET", "/v1/jobs", Self.bearer(tokens.read)).decode(APIList<Job>.self)
      #expect(list.data.count == 1)
      #expect(try await server.send("HEAD", "/v1/jobs", Self.bearer(tokens.read)).status == 200)
    }
  }

  @Test func onlyOneBearerFieldIsTaken() async throws {
    let tokens = try Tokens(["GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"])
    try await TestServer.run(tokens.settings) { server in
      let cases: [(fields: String, status: Int)] = [
        ("Authorization: Bearer \(tokens.read)", 200), ("authorization: bearer   \(tokens.read)  ", 200),
        ("Authorization: BEARER \(tokens.read)", 200), ("Authorization: Bearer \(tokens.read)x", 401),
        ("Authorization: Bearer \(tokens.read.dropLast())", 401), ("Authorization: Bearer \(tokens.read.uppercased())", 401),
        ("Authorization: Bearer", 401), ("Authorization: Bearer ", 401), ("Authorization: \(tokens.read)", 401),
        ("Authorization: Basic \(tokens.read)", 401), ("Authorization: Bearer \(tokens.read), Bearer \(tokens.read)", 401),
        ("Authorization: Bearer x\r\nAuthorization: Bearer \(tokens.read)", 401),
        ("Authorization: Bearer \(tokens.read)\r\nAuthorization: Bearer \(tokens.read)", 401),
        ("Cookie: token=\(tokens.read)", 401), ("X-Authorization: Bearer \(tokens.read)", 401),
      ]
      for (fields, status) in cases {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send("GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)\r\n\r\n")
        #expect(RawAnswer(try await connection.receiveAll())?.status == status, "\(fields)")
      }
      #expect(try await server.send("GET", "/v1/jobs?token=\(tokens.read)").status == 401)
    }
  }

  @Test func wrongTokensAreLimitedAndRightOnesAreNot() async throws {
    let tokens = try Tokens(["GPTQD_AUTH_FAILURES_PER_MINUTE": "3"])
    try await TestServer.run(tokens.settings) { server in
      for _ in 0..<3 { #expect(try await server.send("GET", "/v1/jobs", Self.bearer("guess")).status == 401) }
      for headers in [Self.bearer("guess"), [:]] {
        let answer = try await server.send("GET", "/v1/jobs", headers)
        #expect(answer.status == 429)
        #expect(try answer.problem().code == .tooManyRequests)
        #expect((1...60).contains(answer.headers["retry-after"].flatMap { Int($0) } ?? 0))
      }
      #expect(try await server.send("GET", "/v1/jobs", Self.bearer(tokens.read)).status == 200)
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  /// The answer comes before the body, which is read away: the next request is where it should be.
  @Test func aBodyWithoutTokenIsNotARequest() async throws {
    let tokens = try Tokens()
    try await TestServer.run(tokens.settings) { server in
      let smuggled =
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(tokens.write)\r\nContent-Length: 2\r\n\r\n{}"
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)"
          + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let text = String(decoding: try await connection.receiveAll(), as: UTF8.self)
      #expect(text.matches(of: /HTTP\/1\.1 (\d+)/).map(\.output.1) == ["401", "200"])
    }
  }

  @Test func aClientThatSendsItsBodyFirstGetsTheAnswerAtOnce() async throws {
    let tokens = try Tokens()
    try await TestServer.run(tokens.settings) { server in
      let start = ContinuousClock.now
      let answer = try await server.send("POST", "/v1/jobs", body: Data(repeating: UInt8(ascii: " "), count: 8 << 20))
      #expect(answer.status == 401)
      #expect(ContinuousClock.now - start < .seconds(30))
    }
  }

  @Test func withoutTokensTheHostIsThisMachine() async throws {
    try await TestServer.run { server in
      for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:8790", "gptqd.localhost:8790"] {
        #expect(try await server.send("GET", "/v1/jobs", ["Host": host]).status == 200, "\(host)")
      }
      for host in ["example.org", "localhost.example.org", "127.0.0.1.example.org", "192.168.0.1", "[::2]:80", "128.0.0.1", "127.1", "x"] {
        for path in ["/v1/jobs", "/healthz", "/nowhere"] {
          let answer = try await server.send("GET", path, ["Host": host])
          #expect(answer.status == 421, "\(host)")
          #expect(try answer.problem().code == .misdirectedRequest)
          #expect(try answer.problem().detail.contains("gptqd token new"))
        }
      }
    }
    let tokens = try Tokens()
    try await TestServer.run(tokens.settings) { server in
      let answer = try await server.send("GET", "/v1/jobs", ["Host": "example.org", "Authorization": "Bearer \(tokens.read)"])
      #expect(answer.status == 200)
    }
  }

  @Test func withoutTokensWebPagesAreRefused() async throws {
    try await TestServer.run { server in
      let json = #"{"model":"quick","quantization":{"method":"rtn"}}"#
      let cases: [(headers: [String: String], status: Int)] = [
        ([:], 202), (["Origin": "http://localhost"], 202), (["Origin": "https://LOCALHOST"], 202),
        (["Origin": "http://localhost:3000"], 403), (["Origin": "https://example.org"], 403), (["Origin": "null"], 403),
        (["Origin": ""], 403), (["Sec-Fetch-Site": "cross-site"], 403), (["Sec-Fetch-Site": "same-site"], 403),
        (["Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"], 202), (["Sec-Fetch-Site": "none"], 202),
      ]
      for (headers, status) in cases {
        let answer = try await server.post(json, headers)
        #expect(answer.status == status, "\(headers)")
        let list = try await server.send("GET", "/v1/jobs", headers)
        #expect(list.status == 200, "\(headers)")
      }
    }
  }
}
