import Foundation
import JobModel
import Service
import Synchronization
import Testing

/// What a submission says of a Hub that doesn't give what is asked for, or of one that is hostile.
@Suite(.serialized) struct HubSubmissionTests {
  @Test("Without an endpoint, a repository is refused with what to configure")
  func isOffByDefault() async throws {
    try await TestServer.run { server in
      let problem = try await server.submit(hub: "org/model").problem()
      #expect(problem.status == 422 && problem.code == .invalidModel && problem.errors?.map(\.pointer) == ["/model/hub"])
      #expect(problem.detail.contains("hub.endpoint isn't configured"))
    }
  }

  @Test("What will not pass is refused at once, by the field")
  func refuses() async throws {
    let repository = TestRepository()
    var mamba = TestRepository("org/mamba")
    mamba.files["config.json"] = Data(#"{"model_type": "mamba"}"#.utf8)
    var bare = TestRepository("org/bare")
    bare.files["config.json"] = nil
    var pickled = TestRepository("org/pickled")
    pickled.files["model.safetensors"] = nil
    let repositories = [repository, mamba, bare, pickled]
    let hub = try ScriptedHub { request in
      for (name, answer) in [
        "gated": ScriptedHub.Answer.error(403, ["X-Error-Code": "GatedRepo"]), "hidden": .error(401, ["X-Error-Code": "RepoNotFound"]),
        "closed": .error(401, ["WWW-Authenticate": "Bearer"]), "teapot": .error(418),
      ] where request.path.hasPrefix("/api/models/org/\(name)/") { return answer }
      return repositories.answer(request)
    }
    let table = [
      ("org/absent", "main", "/model/hub", "no repository org/absent"), ("org/model", "v9", "/model/revision", "no revision v9"),
      ("org/gated", "main", "/model/hub", "accepted its conditions"), ("org/hidden", "main", "/model/hub", "without a token"),
      ("org/closed", "main", "/model/hub", "doesn't show org/closed without a token"), ("org/teapot", "main", "/model/hub", "status 418"),
      ("org/mamba", "main", "/model", "mamba"), ("org/bare", "main", "/model/hub", "no config.json"),
      ("org/pickled", "main", "/model/hub", "neither model.safetensors nor"),
    ]
    try await TestServer.run(hub: hub) { server in
      for (model, revision, pointer, detail) in table {
        let problem = try await server.submit(hub: model, revision: revision).problem()
        #expect(problem.status == 422 && problem.code == .invalidModel, "\(model)")
        #expect(problem.errors?.map(\.pointer) == [pointer], "\(model)")
        #expect(problem.detail.contains(detail), "\(model): \(problem.detail)")
      }
      let data = try await server.post(#"{"model":{"hub":"org/model"},"calibration":{"dataset":"absent"}}"#).problem()
      #expect(data.code == .invalidDataset)
      let jobs = try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self)
      #expect(jobs.data.isEmpty)
      #expect(!hub.requests.contains { $0.path.hasSuffix(".safetensors") || $0.path.hasSuffix("tokenizer.json") })
    }
  }

  @Test("A Hub that doesn't answer just now is no reason to refuse: the job pins the commit when it begins", arguments: [false, true])
  func takesWhatMayPass(isSilent: Bool) async throws {
    let repository = TestRepository()
    let isDown = Atomic<Bool>(true)
    let hub = try ScriptedHub { request in
      guard isDown.load(ordering: .relaxed) else { return [repository].answer(request) }
      return isSilent ? .init(limit: 0, stalls: true) : .error(503)
    }
    try await TestServer.run(hub: hub, configure: { if isSilent { $0.hub.answerLimit = .milliseconds(200) } }) { server in
      // Keeps the one worker until the Hub is there.
      let held = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let job = try await server.accepted(hub: repository.name)
      #expect(job.request.model == .hub(HubReference(hub: repository.name)))
      #expect(job.warnings.count == 1 && job.warnings[0].contains("when it begins"), "\(job.warnings)")
      isDown.store(false, ordering: .relaxed)
      server.engine.release()
      _ = try await server.ended(held)
      let ended = try await server.ended(job.id)
      #expect(ended.status == .succeeded, "\(ended.error?.detail ?? "")")
      #expect(ended.request.model.hub?.commit == repository.commit)
    }
  }

  @Test("A Hub that isn't there fails the job, with what to look at")
  func failsWithoutHub() async throws {
    let repository = TestRepository()
    var hub: ScriptedHub? = try ScriptedHub { [repository].answer($0) }
    let url = try #require(hub?.url)
    hub = nil
    try await TestServer.run(["GPTQD_HUB_ENDPOINT": url], configure: { $0.hub.pause = .milliseconds(1) }) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .failed && job.error?.code == "hub_unreachable", "\(job.error?.detail ?? "")")
      #expect(job.error?.detail.contains("127.0.0.1") == true && job.error?.advice?.contains("hub.endpoint") == true)
    }
  }

  @Test("A model for which the disk has no room is refused before a byte of it is asked for")
  func checksTheDisk() async throws {
    var repository = TestRepository()
    repository.files["model.safetensors"] = Data()
    let honest = repository
    let hub = try ScriptedHub { request in
      guard request.path.hasPrefix("/api/") else { return [honest].answer(request) }
      let sha = TestRepository.sha256(Data())
      let size = 1 << 45
      return .json(
        honest.listing(
          honest.siblings.filter { !$0.contains("\"model.safetensors\"") } + [
            #"{"rfilename": "model.safetensors", "size": \#(size), "lfs": {"sha256": "\#(sha)", "size": \#(size)}}"#
          ]))
    }
    try await TestServer.run(hub: hub) { server in
      let problem = try await server.submit(hub: honest.name).problem()
      #expect(problem.status == 507 && problem.code == .insufficientStorage)
      #expect(problem.detail.contains("bytes of org/model are still to be downloaded") && problem.detail.contains("free "))
      #expect(hub.requests.count == 2)
    }
  }

  /// Answers for the listing of `org/model`, and what the refusal has to contain.
  private static func hostileListings(_ repository: TestRepository) -> [(String, ScriptedHub.Answer, String)] {
    func listing(_ sibling: String) -> ScriptedHub.Answer { .json(repository.listing(repository.siblings + [sibling])) }
    func weights(_ fields: String) -> ScriptedHub.Answer {
      .json(
        repository.listing(
          repository.siblings.filter { !$0.contains("\"model.safetensors\"") } + [#"{"rfilename": "model.safetensors", \#(fields)}"#]))
    }
    let sha = String(repeating: "a", count: 64)
    let page = ScriptedHub.Answer(headers: ["Content-Type": "text/html; charset=utf-8"], body: Data("<!DOCTYPE html>secret".utf8))
    return [
      ("page", page, "it is a page of HTML"), ("empty", .json(""), "no JSON"), ("text", .json("hello"), "line 1, column 1"),
      ("array", .json("[]"), "no sha"), ("null", .json("null"), "no sha"),
      ("deep", .json(String(repeating: "[", count: 100_000)), "nested"),
      ("sha number", .json(#"{"sha": 5, "siblings": []}"#), "no sha"),
      ("sha short", .json(#"{"sha": "abc", "siblings": []}"#), "no sha"),
      ("sha path", .json(#"{"sha": "../../../../../../../../../../etc/passwd", "siblings": []}"#), "no sha"),
      ("sha capitals", .json(#"{"sha": "0123456789ABCDEF0123456789ABCDEF01234567", "siblings": []}"#), "no sha"),
      ("no siblings", .json(#"{"sha": "\#(repository.commit)"}"#), "siblings"),
      ("siblings object", .json(#"{"sha": "\#(repository.commit)", "siblings": {}}"#), "siblings"),
      ("too many", .json(repository.listing((0...50_000).map { #"{"rfilename":"\#($0)"}"# })), "50000"),
      ("far too many", .json(repository.listing((0...400_000).map { #"{"rfilename":"\#($0)"}"# })), "listing is no JSON"),
      ("upwards", listing(#"{"rfilename": "../x.safetensors"}"#), "rfilename"),
      ("upwards inside", listing(#"{"rfilename": "a/../../x.json"}"#), "rfilename"),
      ("absolute", listing(#"{"rfilename": "/etc/passwd"}"#), "rfilename"),
      ("dot", listing(#"{"rfilename": "."}"#), "rfilename"), ("backslash", listing(#"{"rfilename": "a\\b"}"#), "rfilename"),
      ("nul", listing(#"{"rfilename": "a\u0000.json"}"#), "rfilename"), ("line end", listing(#"{"rfilename": "a\r\nb"}"#), "rfilename"),
      ("no name", listing(#"{"size": 1}"#), "rfilename"), ("name number", listing(#"{"rfilename": 1}"#), "rfilename"),
      ("sibling text", listing(#""config.json""#), "rfilename"),
      ("long name", listing(#"{"rfilename": "\#(String(repeating: "a", count: 1025))"}"#), "rfilename"),
      ("twice", listing(#"{"rfilename": "config.json", "size": 2}"#), "twice"),
      ("size less than nothing", weights(#""size": -1, "lfs": {"sha256": "\#(sha)", "size": -1}"#), "model.safetensors has no size"),
      ("size too large", weights(#""size": 9223372036854775807, "lfs": {"sha256": "\#(sha)", "size": 9223372036854775807}"#), "no size"),
      ("size broken", weights(#""size": 1.5, "lfs": {"sha256": "\#(sha)", "size": 1.5}"#), "no size"),
      ("size text", weights(#""size": "1", "lfs": {"sha256": "\#(sha)", "size": "1"}"#), "no size"),
      ("two sizes", weights(#""size": 1, "lfs": {"sha256": "\#(sha)", "size": 2}"#), "another size"),
      ("short hash", weights(#""size": 1, "lfs": {"sha256": "abc", "size": 1}"#), "without sha256"),
      ("hash number", weights(#""size": 1, "lfs": {"sha256": 1, "size": 1}"#), "without sha256"),
      ("no hash", weights(#""size": 1"#), "couldn't be verified"), ("blob path", weights(#""size": 1, "blobId": "../x""#), "verified"),
      ("endless", .init(body: Data(repeating: UInt8(ascii: " "), count: 1 << 16), isEndless: true), "more than 16777216 bytes"),
      ("announced too large", .init(headers: ["Content-Length": "99999999999"], body: Data("{".utf8)), "more than 16777216 bytes"),
      ("encoded", .init(headers: ["Content-Encoding": "gzip"], body: Data("{}".utf8)), "encoded"),
      ("endless header", .init(raw: Data(("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 20_000)).utf8)), "header"),
      ("one long field", .init(raw: Data(("HTTP/1.1 200 OK\r\nA: " + String(repeating: "b", count: 90_000) + "\r\n").utf8)), "header"),
      ("loop", .error(302, ["Location": "/api/models/org/model/revision/main?blobs=true"]), "more than 5 times"),
      ("to a file", .error(302, ["Location": "file:///etc/passwd"]), "isn't followed"),
      ("to ftp", .error(302, ["Location": "ftp://127.0.0.1/x"]), "isn't http or https"),
      ("to a user", .error(302, ["Location": "http://user:pass@127.0.0.1/x"]), "has a user"),
      ("to another host", .error(307, ["Location": "http://localhost:1/x"]), "to another host"),
      ("to nowhere", .error(301), "no address"), ("to nonsense", .error(308, ["Location": "http://"]), "no address"),
      ("to a wrong port", .error(302, ["Location": "http://127.0.0.1:99999999999/x"]), "Hub"),
      ("to a long address", .error(302, ["Location": "/" + String(repeating: "a", count: 20_000)]), "no address"),
      (
        "redirect with an endless page", .init(status: 302, headers: ["Location": "/x"], body: Data(count: 1 << 16), isEndless: true),
        "no repository"
      ),
      ("unheard of", .error(999), "status"), ("not modified", .error(304), "status 304"), ("no content", .error(204), "status 204"),
    ]
  }

  @Test("A hostile listing is refused with what is wrong; nothing of it is shown, nothing comes to disk, and the daemon lives")
  func refusesHostileListings() async throws {
    let repository = TestRepository()
    let current = Mutex(ScriptedHub.Answer())
    let hub = try ScriptedHub { request in
      request.target == "/api/models/org/model/revision/main?blobs=true" ? current.withLock { $0 } : [repository].answer(request)
    }
    try await TestServer.run(hub: hub) { server in
      for (name, answer, detail) in Self.hostileListings(repository) {
        current.withLock { $0 = answer }
        let reply = try await server.submit(hub: repository.name)
        if reply.status == 202 {
          // Broken HTTP is as good as a Hub that is down.
          let job = try reply.decode(Job.self)
          #expect(job.warnings.first?.contains(detail) == true, "\(name): \(job.warnings)")
          _ = try await server.send("POST", "/v1/jobs/\(job.id)/cancel")
          _ = try await server.ended(job.id)
        } else {
          let problem = try reply.problem()
          #expect(problem.status == 422 && problem.detail.contains(detail), "\(name): \(problem.detail)")
          #expect(!problem.detail.contains("secret"))
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder.url.appending(path: "data/hub").path).isEmpty)
      #expect(!FileManager.default.fileExists(atPath: "/tmp/x.safetensors"))
    }
  }

  /// Bytes of a connection that no HTTP client may trip over.
  private static let brokenHTTP: [(String, String)] = [
    ("nothing", ""), ("no HTTP", "hello"), ("a status line", "HTTP/1.1 200 OK\r\n"), ("half a status line", "HTTP/1.1 2"),
    ("half a header", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA"), ("header without its end", "HTTP/1.1 200 OK\r\nA: b\r\n"),
    ("short body", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), ("status 0", "HTTP/1.1 000 X\r\n\r\n"),
    ("length less than 0", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
    ("bad chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    ("cut chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"),
    ("only interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"), ("HTTP/2 by name", "HTTP/2 200\r\n"),
  ]

  @Test("Broken HTTP is a Hub that can't be reached, and never the end of the daemon")
  func survivesBrokenHTTP() async throws {
    let current = Mutex("")
    let hub = try ScriptedHub { _ in .init(raw: Data(current.withLock { $0 }.utf8)) }
    try await TestServer.run(hub: hub, configure: { $0.hub.tries = 2 }) { server in
      for (name, bytes) in Self.brokenHTTP {
        current.withLock { $0 = bytes }
        let job = try await server.accepted(hub: "org/model")
        #expect(job.warnings.first?.contains("can't be reached") == true, "\(name): \(job.warnings)")
        let ended = try await server.ended(job.id)
        #expect(ended.status == .failed && ended.error?.code == "hub_unreachable", "\(name): \(ended.error?.detail ?? "")")
      }
    }
  }

  /// Answers for the weights, and what the failed job has to say.
  private static func hostileWeights(_ data: Data) -> [(String, ScriptedHub.Answer, String)] {
    [
      ("longer, as announced", .init(body: data + [0]), "\(data.count + 1) bytes are announced where \(data.count) are missing"),
      ("shorter, as announced", .init(body: data.dropLast(1)), "bytes are announced"),
      ("endless", .init(body: Data(count: 1 << 16), isEndless: true), "more than \(data.count) bytes"),
      (
        "shorter, in a chunk", .init(raw: Data("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".utf8)),
        "1 bytes instead of"
      ),
      ("part unasked", .init(status: 206, headers: ["Content-Range": "bytes 0-1/2"], body: data), "another range"),
      ("encoded", .init(headers: ["Content-Encoding": "br"], body: data), "encoded"),
      ("gone", .error(404, ["X-Error-Code": "EntryNotFound"]), "no longer has the file model.safetensors"),
      ("a page", .init(headers: ["Content-Type": "text/html"], body: Data("<html>".utf8)), "bytes are announced"),
      ("forbidden", .error(403), "doesn't show org/model without a token"),
    ]
  }

  @Test("Hostile bodies fail the job with the file and the reason, and leave no file of that name")
  func refusesHostileBodies() async throws {
    let repository = TestRepository(weights: 100_000)
    let current = Mutex(ScriptedHub.Answer())
    let hub = try ScriptedHub { request in
      request.path.hasSuffix("/model.safetensors") ? current.withLock { $0 } : [repository].answer(request)
    }
    try await TestServer.run(hub: hub) { server in
      for (name, answer, detail) in Self.hostileWeights(try #require(repository.files["model.safetensors"])) {
        current.withLock { $0 = answer }
        let job = try await server.ended(server.accepted(hub: repository.name).id)
        #expect(job.status == .failed && job.error?.detail.contains(detail) == true, "\(name): \(job.error?.detail ?? "none")")
        #expect(job.error?.code.hasPrefix("hub_") == true && job.error?.advice != nil, "\(name)")
        #expect(server.storedNames(repository).isEmpty, "\(name)")
        #expect(!server.storedNames(repository, isPartial: true).contains("model.safetensors"), "\(name)")
      }
    }
  }

  @Test(
    "A hostile index is refused at submission",
    arguments: [
      ("[]", "weight_map"), ("{", "no JSON"), (#"{"weight_map": {}}"#, "weight_map"),
      (#"{"weight_map": {"t": 5}}"#, "no .safetensors file"),
      (#"{"weight_map": {"t": "../x.safetensors"}}"#, "no .safetensors file"), (#"{"weight_map": {"t": "x.bin"}}"#, "no .safetensors file"),
      (#"{"weight_map": {"t": "absent.safetensors"}}"#, "absent.safetensors"),
    ])
  func refusesHostileIndexes(index: String, detail: String) async throws {
    var repository = TestRepository()
    repository.shard(into: 2, bytes: 10)
    repository.files["model.safetensors.index.json"] = Data(index.utf8)
    let hostile = repository
    let hub = try ScriptedHub { [hostile].answer($0) }
    try await TestServer.run(hub: hub) { server in
      let problem = try await server.submit(hub: hostile.name).problem()
      #expect(problem.status == 422 && problem.detail.contains(detail), "\(problem.detail)")
    }
  }
}
