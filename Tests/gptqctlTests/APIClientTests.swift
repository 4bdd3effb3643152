import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct APIClientTests {
  private static let ids = (0..<4).map { "01ARZ3NDEKTSV4RRFFQ69G5F\($0 < 2 ? "A" : "B")\($0)" }

  /// A list of jobs, newest first, in pages of two whatever is asked for.
  @Sendable private static func page(_ request: LocalServer.Request) -> LocalServer.Answer {
    let newest = Array(ids.reversed())
    let after = request.target.split(separator: "after=").dropFirst().first.flatMap { newest.firstIndex(of: String($0.prefix(26))) }
    let page = newest.dropFirst(after.map { $0 + 1 } ?? 0).prefix(2)
    let jobs = page.compactMap { id -> String? in
      JobID(id).map { Job(id: $0, request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 0)) }
        .flatMap { try? APICoding.encode($0) }.map { String(decoding: $0, as: UTF8.self) }
    }
    return .json(
      #"{"object":"list","data":[\#(jobs.joined(separator: ","))],"has_more":\#(page.last != ids[0]),"last_id":"\#(page.last ?? "")"}"#)
  }

  @Test("All parts of a list are asked for, and shown as they come")
  func all() async throws {
    let server = try LocalServer(Self.page)
    var shown = 0
    let jobs = try await APIClient(url: server.url, token: nil).all(Job.self, "/v1/jobs?status=queued") { _ in shown += 1 }
    #expect(jobs.map(\.id.text) == Self.ids.reversed())
    #expect(shown == 2)
    #expect(server.requests.map(\.target) == ["/v1/jobs?status=queued", "/v1/jobs?status=queued&after=\(Self.ids[2])"])
  }

  @Test(
    "What the server says about tokens is what is printed",
    arguments: [(401, Problem.Code.unauthorized), (403, .forbidden), (429, .tooManyRequests)])
  func tokens(status: Int, code: Problem.Code) async throws {
    let body = try APICoding.encode(Problem(code, status: status, title: "The request needs a token", detail: "set GPTQD_TOKEN"))
    let server = try LocalServer { _ in .init(status: status, body: body) }
    let error = await #expect(throws: ClientError.self) { try await APIClient(url: server.url, token: nil).send("GET", "/v1/jobs") }
    #expect(error?.description == "The request needs a token: set GPTQD_TOKEN")
    #expect(error?.exitStatus == 3)
  }

  @Test(
    "Paths go below the address",
    arguments: [("", "/v1/jobs"), ("/", "/v1/jobs"), ("//", "/v1/jobs"), ("/below", "/below/v1/jobs"), ("/a/b/", "/a/b/v1/jobs")])
  func paths(suffix: String, target: String) async throws {
    let server = try LocalServer { _ in .json("{}") }
    _ = try await APIClient(url: server.url + suffix, token: nil).send("GET", "/v1/jobs")
    #expect(server.requests.map(\.target) == [target])
  }

  @Test(
    "An address that paths can't be added to is refused",
    arguments: [
      "http://host?x=1", "http://host/?", "http://host#part", "http://host/a#", "http:///v1", "http:host", "//host", "file:///etc/passwd",
      "javascript:alert(1)", "http://[::1", "http://host:port", "http://ho st", " http://host", "http",
    ])
  func refusedAddresses(url: String) {
    let error = #expect(throws: ClientError.self) { try APIClient(url: url, token: nil) }
    #expect(error?.exitStatus == 64)
    #expect(error?.description.contains(url) == true)
  }

  @Test("Method, body, token and headers are sent")
  func requests() async throws {
    let server = try LocalServer { _ in .init(status: 202, headers: ["Location": "/x", "ETag": "\"1\""], body: Data("{}".utf8)) }
    let client = try APIClient(url: server.url, token: "secret")
    let answer = try await client.send("POST", "/v1/jobs", body: Data("{\"a\":1}".utf8), headers: ["Idempotency-Key": "k"])
    #expect(answer.status == 202)
    #expect(answer.headers["location"] == "/x")
    #expect(answer.headers["etag"] == "\"1\"")
    let request = try #require(server.requests.first)
    #expect(request.method == "POST")
    #expect(request.body == "{\"a\":1}")
    #expect(request.headers["authorization"] == "Bearer secret")
    #expect(request.headers["content-type"] == "application/json")
    #expect(request.headers["idempotency-key"] == "k")
    _ = try await APIClient(url: server.url, token: nil).send("GET", "/")
    #expect(server.requests.last?.headers["authorization"] == nil)
  }

  @Test("A problem document is the error")
  func problems() async throws {
    let problem = Problem.invalidRequest([.init(pointer: "/model", detail: "is missing")])
    let body = try APICoding.encode(problem)
    let server = try LocalServer { _ in .init(status: 422, body: body) }
    let error = await #expect(throws: ClientError.self) { try await APIClient(url: server.url, token: nil).send("GET", "/v1/jobs") }
    guard case .refused(problem) = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
    #expect(error?.description.contains("  /model is missing") == true)
  }

  @Test(
    "Another answer that isn't a success is unexpected",
    arguments: [(404, ""), (500, "<html>"), (502, "{}"), (400, "{\"code\":\"what\"}"), (304, ""), (418, "\u{0}")])
  func unexpectedAnswers(status: Int, body: String) async throws {
    let server = try LocalServer { _ in .json(body, status: status) }
    let client = try APIClient(url: server.url, token: nil)
    let error = await #expect(throws: ClientError.self) { try await client.send("GET", "/v1/jobs") }
    guard case .unexpectedAnswer(status, "/v1/jobs") = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
    #expect(try await client.send("GET", "/v1/jobs", allowing: [status]).status == status)
  }

  @Test("A success without the JSON that is due is unexpected", arguments: ["", "[]", "{}", "null", "{\"id\":1}", "\u{1}"])
  func unexpectedBodies(body: String) async throws {
    let server = try LocalServer { _ in .json(body) }
    let error = await #expect(throws: ClientError.self) { try await APIClient(url: server.url, token: nil).get(Job.self, "/v1/jobs/x") }
    guard case .unexpectedAnswer(200, "/v1/jobs/x") = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
  }

  @Test(
    "A job is named by its id, in either case, or by latest",
    arguments: [(ids[0], 0), (ids[0].lowercased(), 0), ("latest", 3), (ids[3], 3)])
  func references(reference: String, index: Int) async throws {
    let server = try LocalServer(Self.page)
    #expect(try await APIClient(url: server.url, token: nil).resolve(reference).text == Self.ids[index])
  }

  @Test("The beginning of an id is looked for on all pages")
  func beginnings() async throws {
    let server = try LocalServer { request in
      let id = request.target.contains("after=") ? "01BRZ3NDEKTSV4RRFFQ69G5FA0" : "01CRZ3NDEKTSV4RRFFQ69G5FA0"
      guard let job = JobID(id).map({ Job(id: $0, request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 0)) }),
        let text = try? APICoding.encode(job)
      else { return .init(status: 500) }
      let hasMore = !request.target.contains("after=")
      return .json(#"{"object":"list","data":[\#(String(decoding: text, as: UTF8.self))],"has_more":\#(hasMore),"last_id":"\#(id)"}"#)
    }
    #expect(try await APIClient(url: server.url, token: nil).resolve("01b").text == "01BRZ3NDEKTSV4RRFFQ69G5FA0")
  }

  @Test(
    "What names no job or several is refused; nothing is no name",
    arguments: [("01ARZ", 4), ("01ARZ3NDEKTSV4RRFFQ69G5FA", 2), ("zzz", 0), ("", 0), ("LATEST!", 0)])
  func refusedReferences(reference: String, matching: Int) async throws {
    let server = try LocalServer(Self.page)
    let error = await #expect(throws: ClientError.self) { try await APIClient(url: server.url, token: nil).resolve(reference) }
    guard case .noSuchJob(reference, matching) = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
  }

  @Test("Without jobs there is no latest")
  func noLatest() async throws {
    let server = try LocalServer { _ in .json(#"{"object":"list","data":[],"has_more":false}"#) }
    let error = await #expect(throws: ClientError.self) { try await APIClient(url: server.url, token: nil).resolve("latest") }
    #expect(error?.exitStatus == 3)
  }
}
