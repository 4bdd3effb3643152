import Foundation
import JobModel
import Testing

@Suite struct BrokenDownloadTests {
  /// Status, `Content-Range` and length of an empty file, whatever part of it is asked for.
  @Test(
    arguments: [
      (nil, 200, nil), ("bytes=0-", 416, "bytes */0"), ("bytes=0-0", 416, "bytes */0"), ("bytes=-1", 416, "bytes */0"),
      ("bytes=1-0", 200, nil), ("bytes=0-0,1-1", 200, nil), ("items=0-0", 200, nil),
    ] as [(String?, Int, String?)])
  func anEmptyFileIsServedWhole(range: String?, status: Int, contentRange: String?) async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/empty.bin"
      let answer = try await server.send("GET", path, range.map { ["Range": $0] } ?? [:])
      #expect(answer.status == status)
      #expect(answer.headers["content-range"] == contentRange)
      if status == 200 { #expect(answer.headers["content-length"] == "0" && answer.body.isEmpty) } else { _ = try answer.problem() }
    }
  }

  @Test func twoRangeHeadersAreServedWhole() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/model.safetensors"
      await connection.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange: bytes=0-1\r\nRange: bytes=5-6\r\n\r\n")
      let answer = try #require(RawAnswer(try await connection.receiveAll()))
      #expect(answer.status == 200)
      #expect(answer.body == FakeEngine.files["model.safetensors"])
    }
  }

  @Test func aClientThatLeavesDoesntHurtTheNextOne() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)/artifacts/large.bin"
      for _ in 0..<8 {
        let connection = try RawConnection(port: server.port)
        await connection.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try await connection.receive(limit: 100)
        connection.close()
      }
      #expect(try await server.send("GET", path).body == FakeEngine.files["large.bin"])
    }
  }
}
