import Foundation
import JobModel
import Testing

@Suite struct RoutingTests {
  @Test func theDaemonIsHealthyAndReady() async throws {
    try await TestServer.run { server in
      for path in ["/healthz", "/readyz", "/healthz?time=1"] {
        let answer = try await server.send("GET", path)
        #expect(answer.status == 200)
        #expect(String(decoding: answer.body, as: UTF8.self) == #"{"status":"ok"}"#)
        #expect(try await server.send("HEAD", path).headers["content-length"] == "15")
      }
    }
  }

  @Test func unknownPathsAreNotFound() async throws {
    try await TestServer.run { server in
      let paths = [
        "/v1", "/v1/job", "/v2/jobs", "/v1/jobs/x/y", "/v1/jobs/x/layers/y/z", "/healthz/x", "/../etc/passwd", "/%2e%2e/x", "/dashboard",
        "/dashboard/x/y", "/index.html",
      ]
      for path in paths {
        for method in ["GET", "POST", "DELETE", "PROPFIND"] {
          let answer = try await server.send(method, path)
          #expect(answer.status == 404, "\(method) \(path)")
          let problem = try answer.problem()
          #expect(problem.code == .routeNotFound)
          #expect(problem.instance == path)
        }
      }
    }
  }

  @Test func otherMethodsAreNotAllowed() async throws {
    try await TestServer.run { server in
      let id = JobID()
      let cases: [(method: String, path: String, allow: String)] = [
        ("PUT", "/v1/jobs", "POST, GET, HEAD"),
        ("PUT", "/v1/jobs/\(id)", "GET, HEAD, DELETE"),
        ("PATCH", "/v1/jobs/\(id)/layers", "GET, HEAD"),
        ("POST", "/v1/jobs/\(id)/layers/x", "GET, HEAD"),
        ("POST", "/v1/jobs/\(id)/attempts", "GET, HEAD"),
        ("POST", "/v1/jobs/\(id)/events", "GET, HEAD"),
        ("GET", "/v1/jobs/\(id)/cancel", "POST"),
        ("PUT", "/v1/jobs/\(id)/retry", "POST"),
        ("PUT", "/v1/jobs/\(id)/artifacts", "GET, HEAD"),
        ("DELETE", "/v1/jobs/\(id)/artifacts/x", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/dashboard/app.js", "GET, HEAD"),
        ("OPTIONS", "/readyz", "GET, HEAD"),
        ("PROPFIND", "/v1/jobs", "POST, GET, HEAD"),
      ]
      for (method, path, allow) in cases {
        let answer = try await server.send(method, path)
        #expect(answer.status == 405, "\(method) \(path)")
        #expect(answer.headers["allow"] == allow, "\(method) \(path)")
        #expect(try answer.problem().code == .methodNotAllowed)
      }
    }
  }

  /// A body after the answer to a `HEAD` would be read as the start of the next answer.
  @Test(arguments: ["/v1/jobs", "/nowhere", "/v1/jobs/x/cancel", "/v1/jobs/x", "/v1/jobs?limit=no"])
  func headHasNoBody(path: String) async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send(
        "HEAD \(path) HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let head = try #require(RawAnswer(try await connection.receiveAll()))
      #expect(head.headers["content-length"] != nil)
      let next = try #require(RawAnswer(head.body))
      #expect(next.status == 200)
      #expect(String(decoding: next.body, as: UTF8.self) == #"{"status":"ok"}"#)
    }
  }

  @Test func whatIsNoJobIdIsNotFound() async throws {
    try await TestServer.run { server in
      let ids = ["x", "01", "..", "%2E%2E", "01ARZ3NDEKTSV4RRFFQ69G5FAU", JobID().text, JobID().text + "0", "%00", "%FF%FE", "'--"]
      for id in ids {
        for path in ["", "/layers", "/layers/x", "/attempts", "/events", "/artifacts", "/artifacts/config.json"] {
          let answer = try await server.send("GET", "/v1/jobs/\(id)\(path)")
          #expect(answer.status == 404, "\(id)\(path)")
          #expect(try answer.problem().code == .jobNotFound, "\(id)\(path)")
        }
        for path in ["/cancel", "/retry"] { #expect(try await server.send("POST", "/v1/jobs/\(id)\(path)").status == 404) }
      }
    }
  }

  @Test func badQueriesAreRefusedByName() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("quick").id
      let cases = [
        ("/v1/jobs?limit=0", "limit"), ("/v1/jobs?limit=1001", "limit"), ("/v1/jobs?limit=-1", "limit"), ("/v1/jobs?limit=ten", "limit"),
        ("/v1/jobs?limit=", "limit"), ("/v1/jobs?limit", "limit"), ("/v1/jobs?limit=99999999999999999999", "limit"),
        ("/v1/jobs?limit=1&limit=2", "limit"), ("/v1/jobs?status=done", "status"), ("/v1/jobs?status=", "status"),
        ("/v1/jobs?after=x", "after"), ("/v1/jobs?page=2", "page"), ("/v1/jobs/\(id)?wait=61", "wait"), ("/v1/jobs/\(id)?wait=-1", "wait"),
        ("/v1/jobs/\(id)?wait=1.5", "wait"), ("/v1/jobs/\(id)?wiat=1", "wiat"), ("/v1/jobs/\(id)/events?after=-1", "after"),
        ("/v1/jobs/\(id)/events?limit=0", "limit"), ("/v1/jobs/\(id)/layers?limit=10001", "limit"),
        ("/v1/jobs/\(id)/attempts?limit=0", "limit"), ("/v1/jobs/\(id)/attempts?after=x", "after"),
        ("/v1/jobs/\(id)/layers?page=1", "page"),
        ("/v1/jobs/\(id)/layers/x?a=b", "a"), ("/v1/jobs/\(id)/attempts?layers=x", "layers"), ("/v1/jobs/\(id)/artifacts?x", "x"),
      ]
      for (path, name) in cases {
        let answer = try await server.send("GET", path)
        #expect(answer.status == 400, "\(path)")
        let problem = try answer.problem()
        #expect(problem.code == .invalidRequest, "\(path)")
        #expect(problem.errors?.map(\.pointer) == ["?" + name], "\(path)")
      }
    }
  }

  @Test func anIdleConnectionIsClosed() async throws {
    try await TestServer.run(["GPTQD_HTTP_IDLE_TIMEOUT_SECONDS": "1"]) { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send("GET /healthz HTTP/1.1\r\nHo")
      #expect(try await connection.receiveAll().isEmpty)
    }
  }

  @Test(arguments: [
    "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + String(repeating: "a", count: 1 << 20) + "\r\n\r\n",
  ])
  func brokenRequestsDontHurtTheNextOne(request: String) async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send(request)
      let answer = RawAnswer(try await connection.receiveAll())
      #expect(answer.map { $0.status >= 400 && $0.status < 600 } ?? true)
      #expect(try await server.send("GET", "/healthz").status == 200)
    }
  }
}
