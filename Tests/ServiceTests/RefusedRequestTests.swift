import Foundation
import JobModel
import Testing

/// What is refused leaves the connection as usable as it was: the next request on it is read where it begins.
@Suite struct RefusedRequestTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    var type = "application/json"
    var body = ""
    let status: Int
    let code: Problem.Code
    var testDescription: String { "\(line) \(body.prefix(40))" }

    var request: String {
      "\(line) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
  }

  private static let smuggled = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"

  private static let cases = [
    Case(line: "POST /nowhere", body: smuggled, status: 404, code: .routeNotFound),
    .init(line: "GET /nowhere", body: smuggled, status: 404, code: .routeNotFound),
    .init(line: "PUT /v1/jobs", body: smuggled, status: 405, code: .methodNotAllowed),
    .init(line: "POST /v1/jobs", type: "text/plain", body: smuggled, status: 415, code: .unsupportedMediaType),
    .init(line: "POST /v1/jobs", body: smuggled, status: 400, code: .invalidJSON),
    .init(line: "POST /v1/jobs", body: #"{"model":"held","model":"held"}"#, status: 400, code: .invalidJSON),
    .init(line: "POST /v1/jobs", body: String(repeating: "[", count: 1 << 20), status: 400, code: .invalidJSON),
    .init(line: "POST /v1/jobs", body: "{\"\u{0}\":1}", status: 400, code: .invalidJSON),
    .init(line: "POST /v1/jobs?x=1", body: smuggled, status: 400, code: .invalidRequest),
    .init(line: "POST /v1/jobs", body: "{}", status: 422, code: .invalidRequest),
    .init(line: "POST /v1/jobs/x/cancel", body: smuggled, status: 404, code: .jobNotFound),
    .init(line: "POST /v1/jobs/x/retry", body: "{}", status: 404, code: .jobNotFound),
    .init(line: "POST /v1/jobs/x/retry", type: "text/plain", status: 404, code: .jobNotFound),
    .init(line: "POST /v1/jobs/x/retry", type: "text/plain", body: smuggled, status: 415, code: .unsupportedMediaType),
    .init(line: "POST /v1/jobs/x/retry", body: smuggled, status: 400, code: .invalidJSON),
    .init(line: "POST /v1/jobs/x/retry?x=1", body: smuggled, status: 400, code: .invalidRequest),
    .init(line: "GET /v1/jobs?limit=no", body: smuggled, status: 400, code: .invalidRequest),
    .init(line: "GET /v1/jobs/\(JobID())/artifacts/x", body: String(repeating: "x", count: 1 << 20), status: 404, code: .jobNotFound),
  ]

  @Test func theNextRequestOnTheConnectionIsAnswered() async throws {
    try await TestServer.run { server in
      for test in Self.cases {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send(test.request + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        let first = try #require(RawAnswer(try await connection.receiveAll()), "\(test.testDescription)")
        #expect(first.status == test.status, "\(test.testDescription)")
        let length = try #require(first.headers["content-length"].flatMap { Int($0) }, "\(test.testDescription)")
        let problem = try APICoding.decode(Problem.self, from: first.body.prefix(length))
        #expect(problem.code == test.code, "\(test.testDescription)")
        #expect(problem.status == test.status)
        #expect(first.headers["content-type"] == "application/problem+json")
        let next = try #require(RawAnswer(Data(first.body.dropFirst(length))), "\(test.testDescription)")
        #expect(next.status == 200, "\(test.testDescription)")
        #expect(String(decoding: next.body, as: UTF8.self) == #"{"status":"ok"}"#, "\(test.testDescription)")
      }
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
    }
  }

  /// Nothing that a client writes into a path or a query comes back as anything but JSON text.
  @Test func whatAPathSaysIsQuotedInTheProblem() async throws {
    try await TestServer.run { server in
      for path in ["/%22%7D", "/%0D%0AX-Evil:%201", "/v1/jobs/%22%0A", "/v1/jobs?%22=%0D%0A", "/v1/jobs?status=%FF%FE", "/<script>"] {
        let answer = try await server.send("GET", path)
        #expect(answer.headers["x-evil"] == nil, "\(path)")
        #expect((400..<500).contains(answer.status), "\(path)")
        #expect(try answer.problem().instance == String(path.prefix { $0 != "?" }), "\(path)")
      }
    }
  }

  @Test(arguments: ["..", ".", "/etc/passwd", "a/../../b", "leaves", "sibling", "", "a\\b", "über", " held", "held\\u0000"])
  func aModelOutsideTheRootsIsRefusedAtItsPointer(model: String) async throws {
    try await TestServer.run { server in
      try server.folder.write("models-other/m/config.json", Data("{}".utf8))
      try server.folder.link("models/leaves", to: "/etc")
      try server.folder.link("models/sibling", to: "../models-other/m")
      let answer = try await server.post(#"{"model":"\#(model)","quantization":{"method":"rtn"}}"#)
      #expect(answer.status == 422)
      #expect(try answer.problem().errors?.map(\.pointer) == ["/model"])
    }
  }
}
