import Foundation
import JobModel
import Testing

@Suite struct SubmitRouteTests {
  private let valid = #"{"model":"held","quantization":{"bits":4},"calibration":{"dataset":"text"},"evaluation":{"dataset":"text"}}"#

  @Test func aJobIsAcceptedWithItsPlan() async throws {
    try await TestServer.run { server in
      let answer = try await server.post(#"{"model":"held","quantization":{"method":"rtn","bits":2}}"#)
      #expect(answer.status == 202)
      let job = try answer.decode(Job.self)
      #expect(answer.headers["location"] == "/v1/jobs/\(job.id)")
      #expect(answer.headers["etag"] == "\"1\"")
      #expect(answer.headers["content-type"] == "application/json")
      #expect(job.status == .queued)
      #expect(job.request.quantization.bits == 2)
      #expect(job.warnings == ["2 bits lose much"])
      let layers = try await server.send("GET", "/v1/jobs/\(job.id)/layers").decode(APIList<LayerRecord>.self)
      #expect(layers.data.map(\.name) == FakeEngine.layers.map(\.name))
    }
  }

  @Test(arguments: ["failure", "failure.safetensors"])
  func aJobOfLayersNeedsNoData(model: String) async throws {
    try await TestServer.run { server in
      let answer = try await server.post(#"{"kind":"layers","model":"\#(model)","quantization":{"bits":3}}"#)
      #expect(answer.status == 202)
      let job = try answer.decode(Job.self)
      #expect(job.request.kind == .layers && job.request.model == .name(model))
      #expect(job.request.quantization.errorCompensation == 0 && job.request.recovery.escalateSamples.isEmpty)
      #expect(try await server.ended(job.id).status == .succeeded)
    }
  }

  @Test(arguments: [nil, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
  func contentTypesOfJSONAreTaken(type: String?) async throws {
    try await TestServer.run { server in
      let answer = try await server.send("POST", "/v1/jobs", type.map { ["Content-Type": $0] } ?? [:], body: Data(valid.utf8))
      #expect(answer.status == 202)
    }
  }

  @Test func aRepeatedKeyGivesTheSameJob() async throws {
    try await TestServer.run { server in
      let key = ["Idempotency-Key": "one"]
      let first = try await server.post(valid, key).decode(Job.self)
      let second = try await server.post(valid, key)
      #expect(second.status == 202)
      #expect(try second.decode(Job.self).id == first.id)
      #expect(second.headers["location"] == "/v1/jobs/\(first.id)")
      let other = try await server.post(valid.replacing("\"bits\":4", with: "\"bits\":8"), key)
      #expect(other.status == 422)
      #expect(try other.problem().code == .idempotencyMismatch)
      #expect(try await server.post(valid, ["Idempotency-Key": "two"]).decode(Job.self).id != first.id)
      #expect(try await server.post(valid).decode(Job.self).id != first.id)
      let list = try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self)
      #expect(list.data.count == 3)
      for key in ["", String(repeating: "k", count: 256)] {
        #expect(try await server.post(valid, ["Idempotency-Key": key]).problem().status == 400)
      }
    }
  }

  @Test func theSameKeyAtTheSameTimeMakesOneJob() async throws {
    try await TestServer.run { server in
      let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
        for _ in 0..<8 { group.addTask { try await server.post(valid, ["Idempotency-Key": "one"]).decode(Job.self).id } }
        return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
    }
  }

  /// Bodies that are refused, with the status, the code and what the detail has to name.
  private static let hostile: [(body: String, status: Int, code: Problem.Code, detail: String)] = [
    ("", 400, .invalidJSON, "line 1, column 1"),
    ("model=held", 400, .invalidJSON, "line 1, column 1"),
    ("{\n  \"model\": held\n}", 400, .invalidJSON, "line 2, column 12"),
    ("{\"model\":\"held\"", 400, .invalidJSON, "line 1, column 16"),
    ("{\"model\":\"held\"} {}", 400, .invalidJSON, "after the end"),
    ("\u{FEFF}{}", 400, .invalidJSON, "line 1, column 1"),
    (#"{"model":"held","model":"quick"}"#, 400, .invalidJSON, "appears twice"),
    (#"{"model":"\ud800"}"#, 400, .invalidJSON, "surrogate"),
    (#"{"priority":1e999}"#, 400, .invalidJSON, "out of range"),
    (String(repeating: "[", count: 100_000), 400, .invalidJSON, "nested"),
    (String(repeating: #"{"a":"#, count: 100_000), 400, .invalidJSON, "nested"),
    ("[]", 422, .invalidRequest, "an array"),
    ("null", 422, .invalidRequest, "null"),
    ("{}", 422, .invalidRequest, "/model is missing"),
    (#"{"model":5,"quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/model must be a string"),
    (#"{"model":"held","quantization":{"method":"rtn","bits":5}}"#, 422, .invalidRequest, "/quantization/bits"),
    (#"{"model":"held","quantization":{"method":"rtn"},"modle":1}"#, 422, .invalidRequest, "/modle is not a known field"),
    (#"{"model":"held","quantization":{"method":"rtn","bitz":4}}"#, 422, .invalidRequest, "/quantization/bitz"),
    (#"{"model":"held"}"#, 422, .invalidRequest, "/calibration is missing"),
    (#"{"model":"held","calibration":null}"#, 422, .invalidRequest, "/calibration is missing"),
    (#"{"model":"held","kind":"layers"}"#, 422, .invalidModel, "no file of layers \"held\" below the configured roots; there are failure"),
    (#"{"model":"failure","kind":"layers","calibration":{"dataset":"text"}}"#, 422, .invalidRequest, "/calibration can't go with kind"),
    (#"{"model":"failure","kind":"layers","evaluation":{"dataset":"text"}}"#, 422, .invalidRequest, "/evaluation can't go with kind"),
    (#"{"model":"failure","kind":"layers","recovery":{"escalate_samples":[9]}}"#, 422, .invalidRequest, "/recovery/escalate_samples must"),
    (#"{"model":"failure","quantization":{"method":"rtn"}}"#, 422, .invalidModel, "there is no model"),
    (#"{"model":"..","quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/model"),
    (#"{"model":"../quick","quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/model"),
    (#"{"model":"/etc","quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/model"),
    (#"{"model":"quick\u0000","quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/model"),
    (#"{"model":"absent","quantization":{"method":"rtn"}}"#, 422, .invalidModel, "there are broken, held, quick"),
    (#"{"model":"leaves","quantization":{"method":"rtn"}}"#, 422, .invalidModel, "link that leaves"),
    (#"{"model":"held","calibration":{"dataset":"absent"}}"#, 422, .invalidDataset, "there are text"),
    (#"{"model":"held","calibration":{"dataset":"text"},"evaluation":{"dataset":"leaves"}}"#, 422, .invalidDataset, "link that leaves"),
    (#"{"model":"unplannable","quantization":{"method":"rtn"}}"#, 422, .invalidRequest, "/quantization/group_size"),
  ]

  @Test func badBodiesAreRefusedWithTheReason() async throws {
    try await TestServer.run { server in
      try server.folder.link("models/leaves", to: "/etc")
      try server.folder.link("datasets/leaves.jsonl", to: "/etc/passwd")
      for (body, status, code, detail) in Self.hostile {
        let answer = try await server.post(body)
        let problem = try answer.problem()
        #expect(answer.status == status, "\(body.prefix(80))")
        #expect(problem.code == code, "\(body.prefix(80))")
        #expect(problem.detail.contains(detail), "\(body.prefix(80)): \(problem.detail)")
        #expect(problem.instance == "/v1/jobs")
      }
      let jobs = try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self)
      #expect(jobs.data.isEmpty)
    }
  }

  @Test func theFieldIsNamedByItsPointer() async throws {
    try await TestServer.run { server in
      let cases = [
        (#"{"model":"absent","quantization":{"method":"rtn"}}"#, "/model"),
        (#"{"model":"held","calibration":{"dataset":"absent"}}"#, "/calibration/dataset"),
        (#"{"model":"held","calibration":{"dataset":"text"},"evaluation":{"dataset":"absent"}}"#, "/evaluation/dataset"),
      ]
      for (body, pointer) in cases {
        let problem = try await server.post(body).problem()
        #expect(problem.errors?.map(\.pointer) == [pointer])
      }
    }
  }

  @Test(arguments: ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "json"])
  func otherContentTypesAreRefused(type: String) async throws {
    try await TestServer.run { server in
      let answer = try await server.post(valid, ["Content-Type": type])
      #expect(answer.status == 415)
      #expect(try answer.problem().detail.contains("application/json"))
    }
  }

  @Test func fiftyMegabytesAreRefusedBeforeTheyAreRead() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 52428800\r\n\r\n{")
      let answer = try #require(RawAnswer(try await connection.receiveAll()))
      #expect(answer.status == 413)
      #expect(answer.headers["connection"] == "close")
      #expect(try answer.problem().detail.contains("8388608"))
    }
  }

  @Test func aClientThatSendsFiftyMegabytesFirstGetsTheAnswer() async throws {
    try await TestServer.run { server in
      let body = Data(repeating: UInt8(ascii: " "), count: 50 << 20)
      let whole = try await server.upload(["Content-Length": "\(body.count)"], body)
      #expect(try whole.problem().code == .bodyTooLarge)
      let chunk = Data("100000\r\n".utf8) + Data(repeating: UInt8(ascii: " "), count: 1 << 20) + Data("\r\n".utf8)
      let chunks = Data((0..<50).map { _ in chunk }.joined()) + Data("0\r\n\r\n".utf8)
      let chunked = try await server.upload(["Transfer-Encoding": "chunked"], chunks)
      #expect(try chunked.problem().code == .bodyTooLarge)
    }
  }

  @Test func aBodyWithoutEndIsNotReadForEver() async throws {
    try await TestServer.run { server in
      let connection = try RawConnection(port: server.port)
      defer { connection.close() }
      await connection.send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
      let chunk = Data("100000\r\n".utf8) + Data(repeating: UInt8(ascii: " "), count: 1 << 20) + Data("\r\n".utf8)
      var taken = chunk.count
      while taken == chunk.count { taken = await connection.send(chunk) }
      #expect(taken < chunk.count)
    }
  }

  @Test func theLimitIsConfigured() async throws {
    try await TestServer.run(["GPTQD_HTTP_MAX_BODY_BYTES": "1024"]) { server in
      for (length, status) in [(1024, 202), (1025, 413)] {
        let answer = try await server.post(valid + String(repeating: " ", count: length - valid.utf8.count))
        #expect(answer.status == status)
      }
    }
  }
}

extension TestServer {
  /// Sends a body that `headers` frame.
  fileprivate func upload(_ headers: [String: String], _ body: Data) async throws -> RawAnswer {
    let connection = try RawConnection(port: port)
    defer { connection.close() }
    let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    await connection.send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n")
    await connection.send(body)
    return try #require(RawAnswer(try await connection.receiveAll()))
  }
}
