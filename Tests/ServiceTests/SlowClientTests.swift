import Foundation
import JobModel
import Testing

@Suite struct SlowClientTests {
  private static let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

  /// Sends a byte every tenth of a second until the connection ends.
  private static func trickle(_ connection: RawConnection, _ byte: String) async throws {
    for _ in 0..<100 where await connection.send(Data(byte.utf8)) == 1 { try await Task.sleep(for: .milliseconds(100)) }
  }

  @Test func aSlowUploadEndsWithTheReason() async throws {
    let settings = ["GPTQD_HTTP_MIN_UPLOAD_BYTES_PER_SECOND": "1000"]
    try await TestServer.run(settings, configure: { $0.limits.uploadWindow = .milliseconds(500) }) { server in
      for (framing, byte) in [
        ("Content-Length: 5000\r\n\r\n", " "), ("Transfer-Encoding: chunked\r\n\r\n1388\r\n", " "),
        ("Transfer-Encoding: chunked\r\n\r\n1;", "x"),
      ] {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(Self.head + framing)
        async let sending: Void = Self.trickle(connection, byte)
        let answer = try #require(RawAnswer(try await connection.receiveAll()))
        #expect(answer.status == 408)
        #expect(try answer.problem().code == .requestTimeout)
        connection.endInput()
        try await sending
      }
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
    }
  }

  @Test func aSteadyUploadIsTaken() async throws {
    let settings = ["GPTQD_HTTP_MIN_UPLOAD_BYTES_PER_SECOND": "100"]
    try await TestServer.run(settings, configure: { $0.limits.uploadWindow = .seconds(4) }) { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let json = #"{"model":"quick","quantization":{"method":"rtn"}}"#
      await connection.send(Self.head + "Connection: close\r\nContent-Length: \(8000 + json.utf8.count)\r\n\r\n")
      for _ in 0..<8 {
        await connection.send(String(repeating: " ", count: 1000))
        try await Task.sleep(for: .milliseconds(700))
      }
      await connection.send(json)
      #expect(RawAnswer(try await connection.receiveAll())?.status == 202)
    }
  }

  /// A body that the server doesn't read isn't slow: here it holds the answer to the request meanwhile.
  @Test func timeInWhichTheServerDoesntReadIsntCounted() async throws {
    let settings = ["GPTQD_HTTP_MIN_UPLOAD_BYTES_PER_SECOND": "100000"]
    try await TestServer.run(settings, configure: { $0.limits.uploadWindow = .milliseconds(700) }) { server in
      let id = try await server.submit("held").id
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let body = String(repeating: " ", count: 4 << 20)
      await connection.send(
        "GET /v1/jobs/\(id)?wait=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
      async let sending = connection.send(Data(body.utf8))
      #expect(RawAnswer(try await connection.receiveAll())?.status == 200)
      _ = await sending
    }
  }

  @Test func aHeadThatTricklesInIsCutOff() async throws {
    try await TestServer.run(["GPTQD_HTTP_IDLE_TIMEOUT_SECONDS": "1"]) { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let start = ContinuousClock.now
      await connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
      async let sending: Void = Self.trickle(connection, "x")
      #expect(try await connection.receiveAll().isEmpty)
      #expect(ContinuousClock.now - start < .seconds(5))
      try await sending
    }
  }

  /// JSON that is complete before the body is isn't a request.
  @Test func aBodyThatIsCutOffMakesNoJob() async throws {
    try await TestServer.run(["GPTQD_HTTP_IDLE_TIMEOUT_SECONDS": "1"]) { server in
      let json = #"{"model":"quick","quantization":{"method":"rtn"}}"#
      for framing in ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n\(String(json.utf8.count, radix: 16))\r\n"] {
        let idle = try RawConnection(port: server.port)
        let closing = try RawConnection(port: server.port)
        defer { idle.close() }
        for connection in [idle, closing] { await connection.send(Self.head + framing + json) }
        closing.close()
        _ = try await idle.receiveAll()
      }
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
    }
  }

  @Test func aReaderThatStopsIsCutOff() async throws {
    try await TestServer.run(configure: { $0.limits.downloadWindow = .milliseconds(500) }) { server in
      let id = try await server.succeededJob().id
      let connection = try RawConnection(port: server.port, receiveBuffer: 4096)
      defer { connection.close() }
      let request = "GET /v1/jobs/\(id)/artifacts/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
      await connection.send(String(repeating: request, count: 8))
      _ = try await connection.receive(limit: 1)
      try await Task.sleep(for: .seconds(3))
      // What the system holds may be read yet; all of it was never sent.
      let rest = (try? await connection.receiveAll()) ?? Data()
      #expect(rest.count < 8 * 2_500_000)
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  @Test func aReaderThatIsFastEnoughIsntCutOff() async throws {
    try await TestServer.run(configure: { $0.limits.downloadWindow = .seconds(2) }) { server in
      let id = try await server.succeededJob().id
      let connection = try RawConnection(port: server.port, receiveBuffer: 1 << 16)
      defer { connection.close() }
      let request = "GET /v1/jobs/\(id)/artifacts/large.bin HTTP/1.1\r\nHost: localhost\r\n"
      await connection.send(request + "\r\n" + request + "Connection: close\r\n\r\n")
      var count = 0
      while case let part = try await connection.receive(limit: 1 << 16), !part.isEmpty {
        count += part.count
        try await Task.sleep(for: .milliseconds(40))
      }
      #expect(count > 5_000_000)
    }
  }
}
