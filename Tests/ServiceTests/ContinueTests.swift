import Foundation
import JobModel
import Testing

@Suite struct ContinueTests {
  private static let job = #"{"model":"quick","quantization":{"method":"rtn"}}"#

  private static func head(_ length: Int, _ path: String = "/v1/jobs", version: String = "1.1") -> String {
    "POST \(path) HTTP/\(version)\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\r\n"
  }

  private static func statuses(_ data: Data) -> [String] {
    String(decoding: data, as: UTF8.self).matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.output.1) }
  }

  @Test func theBodyIsAskedFor() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      for _ in 0..<2 {
        await connection.send(Self.head(Self.job.utf8.count))
        #expect(String(decoding: try await connection.receive(), as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        await connection.send(Self.job)
        #expect(Self.statuses(try await connection.receive()) == ["202"])
      }
    }
  }

  @Test func aBodyThatIsTooLargeIsNot() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send(Self.head(8_388_609))
      let answer = try #require(RawAnswer(try await connection.receiveAll()))
      #expect(answer.status == 413)
      #expect(answer.headers["connection"] == "close")
      #expect(try answer.problem().code == .bodyTooLarge)
    }
  }

  @Test func pipelinedAnswersComeFirst() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + Self.head(Self.job.utf8.count))
      var answers = Data()
      while Self.statuses(answers) != ["200", "100"] {
        let part = try await connection.receive()
        try #require(!part.isEmpty)
        answers += part
      }
      await connection.send(Self.job)
      connection.endInput()
      #expect(Self.statuses(try await connection.receiveAll()) == ["202"])
    }
  }

  /// Who doesn't wait isn't asked, here or at the next request.
  @Test func aBodyThatIsThereNeedsNoAnswer() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
      await connection.send(get + Self.head(Self.job.utf8.count) + Self.job + get)
      connection.endInput()
      #expect(Self.statuses(try await connection.receiveAll()) == ["200", "202", "200"])
    }
  }

  @Test func nobodyElseIsAskedToContinue() async throws {
    try await TestServer.run { server in
      for (head, body, expected) in [
        (Self.head(Self.job.utf8.count, version: "1.0"), Self.job, ["202"]), (Self.head(0, "/v1/jobs/x/cancel"), "", ["404"]),
      ] {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(head + body)
        connection.endInput()
        #expect(Self.statuses(try await connection.receiveAll()) == expected)
      }
    }
  }
}
