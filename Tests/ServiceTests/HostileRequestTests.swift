import Foundation
import JobModel
import Testing

/// Requests of which two readers could see different things, or that no client has reason to send. Each is followed by one that
/// would make a job if it were read.
@Suite struct HostileRequestTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: Data
    /// Statuses of the answers to what comes before the last request.
    var earlier: [Int] = []
    /// Of the last answer; nil: the connection may end without one.
    let status: Int?
    var testDescription: String { name }

    init(_ name: String, _ text: String, earlier: [Int] = [], status: Int? = 400) {
      (self.name, self.bytes, self.earlier, self.status) = (name, Data(text.utf8), earlier, status)
    }

    init(_ name: String, bytes: [UInt8], status: Int? = 400) { (self.name, self.bytes, self.status) = (name, Data(bytes), status) }
  }

  private static let job = #"{"model":"quick","quantization":{"method":"rtn"}}"#
  private static let smuggled =
    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(job.utf8.count)\r\n\r\n\(job)"

  private static func get(_ fields: String, _ line: String = "GET /v1/jobs HTTP/1.1") -> String { "\(line)\r\n\(fields)\r\n\r\n" }

  /// With a smuggled request for a body.
  private static func post(_ fields: String, _ body: String = "0\r\n\r\n", version: String = "1.1") -> String {
    "POST /v1/jobs HTTP/\(version)\r\nHost: localhost\r\nContent-Type: application/json\r\n\(fields)\r\n\r\n\(body)"
  }

  private static let hosts: [Case] = [
    .init("no Host", get("X: y")),
    .init("no field at all", "GET /v1/jobs HTTP/1.1\r\n\r\n"),
    .init("two Hosts", get("Host: localhost\r\nHost: localhost")),
    .init("two different Hosts", get("Host: localhost\r\nHost: example.org")),
    .init("Hosts in other letters", get("Host: localhost\r\nhOST: localhost")),
    .init("an empty Host", get("Host:")),
    .init("a blank Host", get("Host:   ")),
    .init("a Host with a path", get("Host: localhost/x")),
    .init("a Host with a user", get("Host: me@localhost")),
    .init("a Host with a blank", get("Host: local host")),
    .init("a list of Hosts", get("Host: localhost, localhost")),
    .init("a Host with a bad port", get("Host: localhost:80a")),
    .init("a Host with two ports", get("Host: localhost:80:80")),
    .init("a Host that isn't ASCII", get("Host: löcalhost")),
    .init("a Host with half a bracket", get("Host: [::1")),
    .init("another host", get("Host: example.org"), earlier: [], status: 421),
    .init("two Hosts in HTTP/1.0", get("Host: localhost\r\nHost: localhost", "GET /v1/jobs HTTP/1.0")),
  ]

  private static let framings: [Case] = [
    .init("both lengths", post("Content-Length: 5\r\nTransfer-Encoding: chunked")),
    .init("both lengths, the other way", post("Transfer-Encoding: chunked\r\nContent-Length: 5")),
    .init("a length of 0 and chunks", post("Content-Length: 0\r\nTransfer-Encoding: chunked")),
    .init("an unknown coding", post("Transfer-Encoding: gzip")),
    .init("chunked last of two", post("Transfer-Encoding: gzip, chunked")),
    .init("chunked first of two", post("Transfer-Encoding: chunked, gzip")),
    .init("chunked twice", post("Transfer-Encoding: chunked, chunked")),
    .init("chunked in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    .init("identity", post("Transfer-Encoding: identity")),
    .init("chunked and identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    .init("an empty coding", post("Transfer-Encoding:")),
    .init("a coding with a parameter", post("Transfer-Encoding: chunked;x=y")),
    .init("a coding in quotes", post("Transfer-Encoding: \"chunked\"")),
    .init("a coding that begins like chunked", post("Transfer-Encoding: chunkedx")),
    .init("a coding that ends like chunked", post("Transfer-Encoding: xchunked")),
    .init("a coding with a vertical tab", post("Transfer-Encoding: \u{0B}chunked")),
    .init("a folded coding", post("Transfer-Encoding:\r\n chunked")),
    .init("a folded length", post("Content-Length:\r\n 5", "hello")),
    .init("a blank before the colon of the coding", post("Transfer-Encoding : chunked")),
    .init("a blank before the colon of the length", post("Content-Length : 5", "hello")),
    .init("chunks in HTTP/1.0", post("Transfer-Encoding: chunked", version: "1.0")),
    .init("chunks in HTTP/1.0 that is kept", post("Connection: keep-alive\r\nTransfer-Encoding: chunked", version: "1.0")),
    .init("two lengths", post("Content-Length: 5\r\nContent-Length: 6", "hello")),
    .init("the same length twice", post("Content-Length: 5\r\nContent-Length: 5", "hello")),
    .init("a list of lengths", post("Content-Length: 5, 5", "hello")),
    .init("a length with a sign", post("Content-Length: +5", "hello")),
    .init("a negative length", post("Content-Length: -5", "hello")),
    .init("a hexadecimal length", post("Content-Length: 0x5", "hello")),
    .init("a length with a point", post("Content-Length: 5.0", "hello")),
    .init("an empty length", post("Content-Length:", "hello")),
    .init("a length that is a word", post("Content-Length: five", "hello")),
    .init("a length of other digits", post("Content-Length: ٥", "hello")),
    .init("a length with a blank", post("Content-Length: 5 5", "hello")),
    .init("a length beyond 64 bits", post("Content-Length: 99999999999999999999999"), status: nil),
    .init("a length that overflows to a small one", post("Content-Length: 18446744073709551618", "{}"), status: nil),
    .init("a length beyond the limit", post("Content-Length: 8388609"), status: 413),
  ]

  private static let chunks: [Case] = [
    .init("a chunk size that isn't one", post("Transfer-Encoding: chunked", "Z\r\n\r\n")),
    .init("a negative chunk", post("Transfer-Encoding: chunked", "-1\r\n\r\n")),
    .init("a chunk size with 0x", post("Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n")),
    .init("a chunk size with a blank before it", post("Transfer-Encoding: chunked", " 5\r\nhello\r\n0\r\n\r\n")),
    .init("a chunk beyond 64 bits", post("Transfer-Encoding: chunked", "FFFFFFFFFFFFFFFFF\r\n")),
    .init("a chunk longer than it says", post("Transfer-Encoding: chunked", "2\r\nhello\r\n0\r\n\r\n")),
    .init("an empty chunk size", post("Transfer-Encoding: chunked", "\r\nhello\r\n0\r\n\r\n")),
    .init(
      "chunks beyond the limit", post("Transfer-Encoding: chunked", "800001\r\n" + String(repeating: " ", count: 0x800001) + "\r\n"),
      status: 413),
    .init(
      "trailers beyond the limit", post("Transfer-Encoding: chunked", "0\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n"),
      status: 431),
  ]

  private static let lines: [Case] = [
    .init("garbage", "GARBAGE\r\n\r\n"),
    .init("a blank line and garbage", "\r\n\r\n\u{7F}\r\n"),
    .init("TLS", bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]),
    .init("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    .init("HTTP/0.9", "GET /v1/jobs\r\n"),
    .init("HTTP/1.2", get("Host: localhost", "GET /v1/jobs HTTP/1.2")),
    .init("HTTP/1.9", get("Host: localhost", "GET /v1/jobs HTTP/1.9")),
    .init("HTTP/2.0", get("Host: localhost", "GET /v1/jobs HTTP/2.0")),
    .init("HTTP/9.9", get("Host: localhost", "GET /v1/jobs HTTP/9.9")),
    .init("http in small letters", get("Host: localhost", "GET /v1/jobs http/1.1")),
    .init("a version of three numbers", get("Host: localhost", "GET /v1/jobs HTTP/1.1.1")),
    .init("CONNECT", get("Host: localhost", "CONNECT localhost:80 HTTP/1.1"), status: nil),
    .init("TRACE", get("Host: localhost", "TRACE /v1/jobs HTTP/1.1"), status: 405),
    .init("a method in small letters", get("Host: localhost", "get /v1/jobs HTTP/1.1")),
    .init("an unknown method", get("Host: localhost", "SMUGGLE /v1/jobs HTTP/1.1")),
    .init("two blanks", get("Host: localhost", "GET  /v1/jobs x HTTP/1.1")),
    .init("a target of another host", get("Host: localhost", "GET http://example.org/v1/jobs HTTP/1.1")),
    .init("a target with a user", get("Host: localhost", "GET http://me@localhost/v1/jobs HTTP/1.1")),
    .init("a target of another scheme", get("Host: localhost", "GET file:///etc/passwd HTTP/1.1")),
    .init("a target without a slash", get("Host: localhost", "GET v1/jobs HTTP/1.1")),
    .init("a star", get("Host: localhost", "GET * HTTP/1.1")),
    .init("a target with a fragment", get("Host: localhost", "GET /v1/jobs#x HTTP/1.1")),
    .init("a target that isn't ASCII", get("Host: localhost", "GET /v1/jöbs HTTP/1.1")),
    .init("a target that isn't UTF-8", bytes: Array("GET /".utf8) + [0xFF, 0xFE] + Array(" HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
    .init("a target with a NUL", bytes: Array("GET /".utf8) + [0] + Array(" HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
    .init("a target beyond the limit", get("Host: localhost", "GET /" + String(repeating: "a", count: 40_000) + " HTTP/1.1"), status: 431),
  ]

  private static let fields: [Case] = [
    .init("a field without a name", get("Host: localhost\r\n: x")),
    .init("a field without a colon", get("Host: localhost\r\nnothing")),
    .init("a field name with a blank", get("Host: localhost\r\nX Y: z")),
    .init("a field name that isn't ASCII", get("Host: localhost\r\nÜ: z")),
    .init("a field with a NUL", bytes: Array("GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX: a".utf8) + [0] + Array("b\r\n\r\n".utf8)),
    .init("a bare CR in a field", get("Host: localhost\r\nX: a\rTransfer-Encoding: chunked")),
    .init("a folded first field", "GET /v1/jobs HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    .init("a field beyond the limit", get("Host: localhost\r\nX: " + String(repeating: "a", count: 40_000)), status: 431),
    .init(
      "fields beyond the limit", get("Host: localhost" + String(repeating: "\r\nX: " + String(repeating: "a", count: 400), count: 100)),
      status: 431),
    .init("too many fields", get("Host: localhost" + String(repeating: "\r\nX: y", count: 300)), status: 431),
    .init("an unknown expectation", post("Expect: 200-ok\r\nContent-Length: 5", "hello"), status: 417),
    .init("two expectations", post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5", "hello"), status: 417),
    .init("an upgrade", get("Host: localhost\r\nConnection: upgrade\r\nUpgrade: websocket"), status: 200),
    .init(
      "an upgrade to HTTP/2", get("Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA"),
      status: 200),
    .init("a close in other letters", get("Host: localhost\r\nConnection: Close"), status: 200),
    .init("HTTP/1.0", get("Host: localhost", "GET /v1/jobs HTTP/1.0"), status: 200),
    .init("after a good one", get("Host: localhost") + get("X: y"), earlier: [200], status: 400),
    .init(
      "after two", get("Host: localhost") + get("Host: localhost", "HEAD /healthz HTTP/1.1") + "GARBAGE\r\n\r\n", earlier: [200, 200],
      status: 400),
  ]

  private static let cases = hosts + framings + chunks + lines + fields

  @Test func nothingIsSmuggledIn() async throws {
    #expect(Self.cases.count > 100)
    try await TestServer.run { server in
      for test in Self.cases {
        // 421 is decided by the server and leaves the connection as it is; what follows it must be as harmless.
        let next = test.status == 421 ? "" : Self.smuggled
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(test.bytes + Data(next.utf8))
        connection.endInput()
        let text = String(decoding: try await connection.receiveAll(), as: UTF8.self)
        let statuses = text.matches(of: /HTTP\/1\.1 (\d+)/).compactMap { Int($0.output.1) }
        #expect(statuses.prefix(test.earlier.count) == test.earlier[...], "\(test.name)")
        let last = Array(statuses.dropFirst(test.earlier.count))
        if let status = test.status {
          #expect(last == [status], "\(test.name)")
        } else {
          #expect(last.isEmpty || last.count == 1 && (400..<500).contains(last[0]), "\(test.name): \(last)")
        }
        if test.status != 421, test.status != 200, !last.isEmpty { #expect(text.contains("Connection: close"), "\(test.name)") }
      }
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }

  /// The problems are whole: closing the connection doesn't reset it while the client sends.
  @Test func refusalsAreProblemDocuments() async throws {
    try await TestServer.run { server in
      for test in Self.cases where test.status != nil && test.status != 200 && test.earlier.isEmpty {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(test.bytes)
        connection.endInput()
        let answer = try #require(RawAnswer(try await connection.receiveAll()), "\(test.name)")
        #expect(answer.headers["content-length"] == "\(answer.body.count)", "\(test.name)")
        _ = try answer.problem()
      }
    }
  }

  /// At every place where the network could cut them.
  @Test func splittingChangesNothing() async throws {
    let text = Self.get("Host: localhost") + Self.post("Transfer-Encoding: chunked, chunked")
    try await TestServer.run { server in
      for cut in stride(from: 1, to: text.utf8.count, by: 7) {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        let bytes = Data(text.utf8)
        await connection.send(bytes.prefix(cut))
        await connection.send(Data(bytes.dropFirst(cut)))
        connection.endInput()
        let answers = String(decoding: try await connection.receiveAll(), as: UTF8.self)
        #expect(answers.matches(of: /HTTP\/1\.1 (\d+)/).map(\.output.1) == ["200", "400"], "\(cut)")
      }
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrderUpToALimit() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      let paths = (0..<200).map { $0 % 2 == 0 ? "/healthz" : "/nowhere" }
      await connection.send(paths.map { Self.get("Host: localhost", "GET \($0) HTTP/1.1") }.joined() + Self.smuggled)
      let text = String(decoding: try await connection.receiveAll(), as: UTF8.self)
      let statuses = text.matches(of: /HTTP\/1\.1 (\d+)/).compactMap { Int($0.output.1) }
      #expect(statuses.last == 429)
      for (position, status) in statuses.dropLast().enumerated() { #expect(status == (position % 2 == 0 ? 200 : 404)) }
      #expect(statuses.count > 32)
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
    }
  }
}
