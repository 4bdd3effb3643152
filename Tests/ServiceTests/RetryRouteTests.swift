import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct RetryRouteTests {
  private static let json = ["Content-Type": "application/json"]

  @Test func aFailedJobRunsAgainWithItsHistory() async throws {
    try await TestServer.run { server in
      let failed = try await server.ended(server.submit("unlucky").id)
      #expect(failed.error == FakeEngine.failure)
      let answer = try await server.send("POST", "/v1/jobs/\(failed.id)/retry")
      #expect(answer.status == 200)
      let retried = try answer.decode(Job.self)
      #expect(answer.headers["etag"] == "\"\(retried.version)\"")
      #expect(retried.status == .queued && retried.error == nil && retried.finishedAt == nil)
      #expect(retried.request == failed.request)
      let ended = try await server.ended(failed.id)
      #expect(ended.status == .succeeded && ended.attempt == 2)
      let attempts = try await server.send("GET", "/v1/jobs/\(failed.id)/attempts").decode(APIList<AttemptRecord>.self)
      #expect(attempts.data.map(\.jobAttempt) == [1, 1, 2, 2, 2, 2])
      let events = try await server.send("GET", "/v1/jobs/\(failed.id)/events").decode(APIList<JobEvent>.self)
      let statuses = events.data.compactMap { $0.data["status"]?.stringValue }
      #expect(statuses == ["queued", "running", "failed", "queued", "running", "succeeded"])
    }
  }

  @Test func theBodyChangesTheRequest() async throws {
    try await TestServer.run { server in
      let failed = try await server.ended(server.submit("unlucky").id)
      let body = #"{"recovery":{"on_exhausted":"rtn"},"damping":{"start":"fixed"},"quantization":{"damp_percent":0.1}}"#
      _ = try await server.send("POST", "/v1/jobs/\(failed.id)/retry", Self.json, body: Data(body.utf8))
      var request = failed.request
      request.recovery.onExhausted = .rtn
      request.damping.start = .fixed
      request.quantization.dampPercent = 0.1
      #expect(try await server.ended(failed.id).request == request)
    }
  }

  @Test func aBodyMayBeEmpty() async throws {
    try await TestServer.run { server in
      let framings: [([String: String], Data?)] = [
        ([:], nil), (["Content-Type": "text/plain"], Data()), (Self.json, Data()), (Self.json, Data("{}".utf8)),
        (["Content-Type": "application/json", "Transfer-Encoding": "chunked"], nil),
      ]
      for (headers, body) in framings {
        let failed = try await server.ended(server.submit("unlucky").id)
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        let length = body.map { "Content-Length: \($0.count)\r\n" } ?? ""
        let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
        await connection.send("POST /v1/jobs/\(failed.id)/retry HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)\(length)\r\n")
        if let body { await connection.send(body) }
        if headers["Transfer-Encoding"] != nil { await connection.send("0\r\n\r\n") }
        let answer = try #require(RawAnswer(try await connection.receiveAll()))
        #expect(answer.status == 200, "\(headers)")
        #expect(try await server.ended(failed.id).status == .succeeded)
      }
    }
  }

  @Test func badBodiesAreRefusedAndChangeNothing() async throws {
    try await TestServer.run(["GPTQD_HTTP_MAX_BODY_BYTES": "1024"]) { server in
      let failed = try await server.ended(server.submit("unlucky").id)
      let cases: [(body: String, status: Int, code: Problem.Code, detail: String)] = [
        ("retry", 400, .invalidJSON, "line 1, column 1"), (" ", 400, .invalidJSON, "line 1, column 2"),
        ("{", 400, .invalidJSON, "line 1, column 2"),
        (#"{"recovery":{},"recovery":{}}"#, 400, .invalidJSON, "appears twice"), ("[]", 422, .invalidRequest, "an array"),
        ("null", 422, .invalidRequest, "null"), (#"{"model":"quick"}"#, 422, .invalidRequest, "/model is not a known field"),
        (#"{"quantization":{"bits":2}}"#, 422, .invalidRequest, "/quantization/bits is not a known field"),
        (#"{"recovery":{"escalate_samples":[2,1]}}"#, 422, .invalidRequest, "/recovery/escalate_samples/1"),
        (#"{"recovery":{"on_exhausted":"ignore"}}"#, 422, .invalidRequest, "/recovery/on_exhausted"),
        (String(repeating: "[", count: 900), 400, .invalidJSON, "nested"),
        (String(repeating: " ", count: 1025), 413, .bodyTooLarge, "1024"),
      ]
      for (body, status, code, detail) in cases {
        let answer = try await server.send("POST", "/v1/jobs/\(failed.id)/retry", Self.json, body: Data(body.utf8))
        #expect(answer.status == status, "\(body.prefix(40))")
        let problem = try answer.problem()
        #expect(problem.code == code, "\(body.prefix(40))")
        #expect(problem.detail.contains(detail), "\(body.prefix(40)): \(problem.detail)")
      }
      let plain = try await server.send("POST", "/v1/jobs/\(failed.id)/retry", ["Content-Type": "text/plain"], body: Data("{}".utf8))
      #expect(plain.status == 415)
      #expect(try await server.job(failed.id) == failed)
    }
  }

  @Test func aJobOfLayersGetsNoMoreSamples() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let job = try await server.post(#"{"kind":"layers","model":"failure"}"#).decode(Job.self)
      let cancelled = try await server.send("POST", "/v1/jobs/\(job.id)/cancel").decode(Job.self)
      let path = "/v1/jobs/\(job.id)/retry"
      let body = Data(#"{"recovery":{"escalate_samples":[256]}}"#.utf8)
      #expect(try await server.send("POST", path, Self.json, body: body).problem().errors?.map(\.pointer) == ["/recovery/escalate_samples"])
      #expect(try await server.job(job.id) == cancelled)
      #expect(try await server.send("POST", path).status == 200)
      server.engine.release()
      #expect(try await server.ended(job.id).status == .succeeded)
      #expect(try await server.ended(running).status == .succeeded)
    }
  }

  @Test func whatWaitsOrRunsStaysAsItIs() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let queued = try await server.submit("held").id
      for id in [running, queued] {
        let before = try await server.job(id)
        let body = Data(#"{"recovery":{"on_exhausted":"keep"}}"#.utf8)
        #expect(try await server.send("POST", "/v1/jobs/\(id)/retry", Self.json, body: body).decode(Job.self) == before)
        #expect(try await server.job(id) == before)
      }
    }
  }

  @Test func aCancelledJobRunsAgain() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      _ = try await server.send("POST", "/v1/jobs/\(id)/cancel")
      #expect(try await server.ended(id).status == .cancelled)
      #expect(try await server.send("POST", "/v1/jobs/\(id)/retry").status == 200)
      _ = await server.engine.nextStart()
      server.engine.release()
      #expect(try await server.ended(id).status == .succeeded)
    }
  }

  @Test func whatHasSucceededOrIsBeingCancelledIsAConflict() async throws {
    try await TestServer.run { server in
      let succeeded = try await server.succeededJob()
      let cancelling = try await server.submit("stubborn").id
      while await server.engine.nextStart() != cancelling {}
      _ = try await server.send("POST", "/v1/jobs/\(cancelling)/cancel")
      for id in [succeeded.id, cancelling] {
        let answer = try await server.send("POST", "/v1/jobs/\(id)/retry")
        #expect(answer.status == 409)
        #expect(try answer.problem().code == .conflict)
      }
      #expect(try await server.job(succeeded.id) == succeeded)
    }
  }

  @Test func aModelThatIsGoneFailsTheJobUntilItIsBack() async throws {
    try await TestServer.run { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let id = try await server.submit("quick").id
      let folder = server.folder.url.appending(path: "models/quick")
      let elsewhere = server.folder.url.appending(path: "quick")
      try FileManager.default.moveItem(at: folder, to: elsewhere)
      server.engine.release()
      let failed = try await server.ended(id)
      #expect(failed.error?.code == "invalid_model")
      #expect(failed.error?.detail.contains("there is no model \"quick\"") == true)
      try FileManager.default.moveItem(at: elsewhere, to: folder)
      _ = try await server.send("POST", "/v1/jobs/\(id)/retry")
      #expect(try await server.ended(id).status == .succeeded)
    }
  }
}
