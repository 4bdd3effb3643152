import Foundation
import JobModel
import StrictJSON
import Synchronization
import Testing

/// Models from the Hub, through the daemon, with a Hub that answers as each test tells it.
@Suite(.serialized) struct HubDownloadTests {
  @Test("A job of a repository pins its commit, downloads what is needed and nothing else, and shows both")
  func downloads() async throws {
    var repository = TestRepository()
    repository.shard(into: 3, bytes: 100_000)
    let honest = repository
    let hub = try ScriptedHub { [honest].answer($0) }
    try await TestServer.run(hub: hub) { server in
      let accepted = try await server.accepted(hub: honest.name)
      let reference = HubReference(hub: honest.name, revision: "main", commit: honest.commit)
      #expect(accepted.request.model == .hub(reference))
      let job = try await server.ended(accepted.id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(server.storedNames(honest) == honest.needed)
      for name in honest.needed { #expect(try Data(contentsOf: server.stored(honest, name)) == honest.files[name], "\(name)") }
      let paths = Set(hub.requests.map(\.path)).filter { $0.contains("/resolve/") }
      #expect(paths == Set(honest.needed.map { "/org/model/resolve/\(honest.commit)/\($0)" }))
      #expect(hub.requests.first?.target == "/api/models/org/model/revision/main?blobs=true")
      let events = try await server.events(of: job.id)
      let stages = events.filter { $0.kind == .stage }.compactMap { $0.data["stage"]?.stringValue }
      #expect(stages == ["downloading", "quantizing"])
      let files = events.filter { $0.kind == .download }
      #expect(Set(files.compactMap { $0.data["file"]?.stringValue }) == Set(honest.needed))
      #expect(files.allSatisfy { $0.data["bytes"]?.intValue == honest.files[$0.data["file"]?.stringValue ?? ""]?.count })
      let json = try JSONValue(parsing: Array(await server.send("GET", "/v1/jobs/\(job.id)").body))
      #expect(json["request"]?["model"]?["hub"] == "org/model" && json["request"]?["model"]?["revision"] == "main")
      #expect(json["request"]?["model"]?["commit"]?.stringValue == honest.commit)
    }
  }

  @Test("A second job of the same commit downloads nothing, at once or later")
  func shares() async throws {
    let repository = TestRepository()
    let hub = try ScriptedHub { [repository].answer($0) }
    try await TestServer.run(hub: hub, ["GPTQD_COMPUTE_WORKERS": "3"]) { server in
      var jobs: [JobID] = []
      for revision in ["main", "v1/x", repository.commit] {
        jobs.append(try await server.accepted(hub: repository.name, revision: revision).id)
      }
      for id in jobs { #expect(try await server.ended(id).status == .succeeded) }
      #expect(hub.requests(of: "model.safetensors").count == 1)
      #expect(hub.requests(of: "tokenizer.json").count == 1)
      #expect(hub.requests.contains { $0.target == "/api/models/org/model/revision/v1%2Fx?blobs=true" })
      let count = hub.requests.count
      let later = try await server.accepted(hub: repository.name, revision: repository.commit)
      #expect(try await server.ended(later.id).status == .succeeded)
      #expect(hub.requests.count == count, "a commit that is there needs no Hub")
    }
  }

  @Test("A connection that is cut, also within a header, is gone on with by Range")
  func resumes() async throws {
    let repository = TestRepository()
    let cuts = Mutex([40, 100_300, 60_000, 5])
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(request)
      if request.path.hasSuffix("/model.safetensors"), let limit = cuts.withLock({ $0.popLast() }) { answer.limit = limit }
      return answer
    }
    try await TestServer.run(hub: hub) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(try Data(contentsOf: server.stored(repository, "model.safetensors")) == repository.files["model.safetensors"])
      let offsets = hub.requests(of: "model.safetensors").map(\.offset)
      #expect(offsets.count == 5 && offsets == offsets.sorted() && offsets.last ?? 0 > 150_000, "\(offsets)")
    }
  }

  @Test("What an earlier daemon left is gone on with; a part that was damaged meanwhile is got again", arguments: [false, true])
  func survivesRestarts(isDamaged: Bool) async throws {
    let repository = TestRepository()
    let isDown = Atomic<Bool>(true)
    let folder = try TemporaryFolder()
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(request)
      if request.path.hasSuffix("/model.safetensors"), isDown.load(ordering: .relaxed) { (answer.limit, answer.stalls) = (150_000, true) }
      return answer
    }
    let part = folder.url.appending(path: "data/hub/org/model/\(repository.commit).part/model.safetensors.part")
    var id: JobID?
    try await TestServer.run(hub: hub, in: folder) { server in
      let job = try await server.accepted(hub: repository.name)
      id = job.id
      try await server.wait("the first half") { (try? Data(contentsOf: part).count) ?? 0 > 100_000 }
      let running = try await server.job(job.id)
      #expect(running.status == .running && running.stage == .downloading)
      try await server.wait("progress") { try await server.job(job.id).progress?.bytesDone ?? 0 > 100_000 }
      try await server.wait("the small files") { server.storedNames(repository, isPartial: true).contains("tokenizer.json") }
      let progress = try #require(try await server.job(job.id).progress)
      #expect(progress.bytesTotal == repository.needed.reduce(0) { $0 + (repository.files[$1]?.count ?? 0) })
      #expect(progress.fraction > 0.3 && progress.fraction < 1 && progress.done == 0)
    }
    if isDamaged { try Data(repeating: 7, count: 100_000).write(to: part) }
    isDown.store(false, ordering: .relaxed)
    let offset = try Data(contentsOf: part).count
    let before = hub.requests.count
    try await TestServer.run(hub: hub, in: folder) { server in
      let job = try await server.ended(#require(id))
      #expect(job.status == .succeeded && job.attempt == 1, "\(job.error?.detail ?? "")")
      let requests = hub.requests.dropFirst(before)
      #expect(requests.filter { $0.path.hasSuffix("/model.safetensors") }.map(\.offset) == (isDamaged ? [offset, 0] : [offset]))
      #expect(!requests.contains { $0.path.hasSuffix("/tokenizer.json") }, "it was there")
      #expect(try Data(contentsOf: server.stored(repository, "model.safetensors")) == repository.files["model.safetensors"])
      #expect(server.storedNames(repository) == repository.needed)
    }
  }

  @Test("A server without ranges is downloaded from all the same")
  func doesWithoutRanges() async throws {
    let repository = TestRepository()
    let cuts = Mutex([100_000])
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(.init(target: request.target, headers: [:]))
      if request.path.hasSuffix("/model.safetensors"), let limit = cuts.withLock({ $0.popLast() }) { answer.limit = limit }
      return answer
    }
    try await TestServer.run(hub: hub) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(try Data(contentsOf: server.stored(repository, "model.safetensors")) == repository.files["model.safetensors"])
    }
  }

  @Test("Wrong bytes are thrown away and got again; a file that stays wrong ends the job and is named", arguments: [1, 99])
  func discardsWrongBytes(times: Int) async throws {
    let repository = TestRepository()
    let count = Mutex(0)
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(request)
      guard request.path.hasSuffix("/model.safetensors"),
        count.withLock({ count in
          count += 1; return count <= times
        })
      else { return answer }
      answer.body[answer.body.count / 2] ^= 1
      return answer
    }
    try await TestServer.run(hub: hub) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      if times == 1 {
        #expect(job.status == .succeeded)
        #expect(hub.requests(of: "model.safetensors").map(\.offset) == [0, 0])
        return
      }
      #expect(job.status == .failed && job.error?.code == "hub_wrong_bytes")
      #expect(job.error?.detail.contains("model.safetensors") == true && job.error?.detail.contains("SHA-256") == true)
      #expect(job.error?.advice != nil)
      #expect(hub.requests(of: "model.safetensors").count == 3)
      #expect(server.storedNames(repository).isEmpty)
      #expect(!server.storedNames(repository, isPartial: true).contains { $0.hasPrefix("model.safetensors") })
    }
  }

  @Test("A busy Hub is asked again, after the time that it says", arguments: [429, 503, 500, 408])
  func waitsForBusyHubs(status: Int) async throws {
    let repository = TestRepository()
    let refusals = Mutex(3)
    let hub = try ScriptedHub { request in
      guard request.path.hasSuffix("/model.safetensors"),
        refusals.withLock({ count in
          count -= 1; return count >= 0
        })
      else {
        return [repository].answer(request)
      }
      return .error(status, ["Retry-After": status == 503 ? "Mon, 01 Jan 2024 00:00:00 GMT" : "0"])
    }
    try await TestServer.run(hub: hub) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(hub.requests(of: "model.safetensors").count == 4)
    }
  }

  @Test("A Hub that stays busy, or wants to be left alone for long, fails the job with its reason", arguments: ["0", "86400"])
  func givesUp(retryAfter: String) async throws {
    let repository = TestRepository()
    let hub = try ScriptedHub { request in
      request.path.hasSuffix("/model.safetensors") ? .error(429, ["Retry-After": retryAfter]) : [repository].answer(request)
    }
    try await TestServer.run(hub: hub) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .failed && job.error?.code == "hub_busy")
      #expect(job.error?.detail.contains("429") == true && job.error?.advice?.contains("hub.token") == true)
      #expect(hub.requests(of: "model.safetensors").count == (retryAfter == "0" ? 8 : 1))
      #expect(server.storedNames(repository).isEmpty)
    }
  }

  @Test("Cancelling stops a download that stalls, keeps what is there, and a retry goes on with it")
  func cancels() async throws {
    let repository = TestRepository()
    let isDown = Atomic<Bool>(true)
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(request)
      if request.path.hasSuffix("/model.safetensors"), isDown.load(ordering: .relaxed) { (answer.limit, answer.stalls) = (150_000, true) }
      return answer
    }
    try await TestServer.run(hub: hub) { server in
      let id = try await server.accepted(hub: repository.name).id
      let part = server.stored(repository, "model.safetensors.part", isPartial: true)
      try await server.wait("the first half") { (try? Data(contentsOf: part).count) ?? 0 > 100_000 }
      _ = try await server.send("POST", "/v1/jobs/\(id)/cancel")
      #expect(try await server.ended(id).status == .cancelled)
      isDown.store(false, ordering: .relaxed)
      let offset = try Data(contentsOf: part).count
      _ = try await server.send("POST", "/v1/jobs/\(id)/retry")
      #expect(try await server.ended(id).status == .succeeded)
      #expect(hub.requests(of: "model.safetensors").map(\.offset) == [0, offset])
    }
  }

  @Test("One job is cancelled while another waits for the same download: the other goes on with it")
  func outlivesTheFirst() async throws {
    let repository = TestRepository()
    let isDown = Atomic<Bool>(true)
    let hub = try ScriptedHub { request in
      var answer = [repository].answer(request)
      if request.path.hasSuffix("/model.safetensors"), isDown.load(ordering: .relaxed) { (answer.limit, answer.stalls) = (150_000, true) }
      return answer
    }
    try await TestServer.run(hub: hub, ["GPTQD_COMPUTE_WORKERS": "2"]) { server in
      let first = try await server.accepted(hub: repository.name).id
      let part = server.stored(repository, "model.safetensors.part", isPartial: true)
      try await server.wait("the first half") { (try? Data(contentsOf: part).count) ?? 0 > 100_000 }
      let second = try await server.accepted(hub: repository.name).id
      try await server.wait("the second job's progress") { try await server.job(second).progress?.bytesDone ?? 0 > 100_000 }
      isDown.store(false, ordering: .relaxed)
      _ = try await server.send("POST", "/v1/jobs/\(first)/cancel")
      #expect(try await server.ended(first).status == .cancelled)
      #expect(try await server.ended(second).status == .succeeded)
      let offsets = hub.requests(of: "model.safetensors").map(\.offset)
      #expect(offsets.count == 2 && offsets.last ?? 0 > 100_000, "\(offsets)")
    }
  }

  @Test("Several files come at once, as many as are configured", arguments: [1, 3])
  func downloadsInParallel(width: Int) async throws {
    var repository = TestRepository()
    repository.shard(into: 6, bytes: 1000)
    let honest = repository
    let active = Mutex((now: 0, most: 0))
    let hub = try ScriptedHub { request in
      guard request.path.contains("safetensors") else { return [honest].answer(request) }
      active.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
      usleep(100_000)
      active.withLock { $0.now -= 1 }
      return [honest].answer(request)
    }
    try await TestServer.run(hub: hub, ["GPTQD_HUB_PARALLEL_DOWNLOADS": "\(width)"]) { server in
      let job = try await server.ended(server.accepted(hub: honest.name).id)
      #expect(job.status == .succeeded)
      #expect(width == 1 ? active.withLock(\.most) == 1 : (2...3).contains(active.withLock(\.most)), "\(active.withLock(\.most))")
    }
  }
}
