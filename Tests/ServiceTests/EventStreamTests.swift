import Foundation
import JobModel
import Service
import StrictJSON
import Testing

@Suite struct EventStreamTests {
  private static func page(_ server: TestServer, _ id: JobID) async throws -> [JobEvent] {
    try await server.send("GET", "/v1/jobs/\(id)/events?limit=1000").decode(APIList<JobEvent>.self).data
  }

  private static func events(_ messages: [EventStream.Message]) throws -> [JobEvent] {
    try messages.filter { $0.id != nil }.map { message in
      let event = try APICoding.decode(JobEvent.self, from: Data(try #require(message.data).serialized().utf8))
      #expect(message.id == event.sequence)
      #expect(message.event == event.kind.rawValue)
      return event
    }
  }

  private static func job(_ message: EventStream.Message) throws -> Job {
    try #require(message.event == "job")
    return try APICoding.decode(Job.self, from: Data(try #require(message.data).serialized().utf8))
  }

  @Test func aStreamHasEverythingUntilTheJobsEnd() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let stream = try await EventStream(server, id)
      let first = try await stream.messages { $0.event == "stage" }
      #expect(first[0] == .init())
      #expect(try Self.job(first[1]).status == .running)
      server.engine.release()
      let messages = try await first + stream.rest()
      #expect(stream.head?.status == 200)
      #expect(stream.head?.headers["content-type"] == "text/event-stream")
      #expect(stream.head?.headers["cache-control"] == "no-store")
      #expect(try await Self.events(messages) == Self.page(server, id))
      let ending = messages.suffix(2)
      #expect(try Self.job(#require(ending.first)) == (try await server.job(id)))
      #expect(ending.last?.data?.serialized() == #"{"reason":"ended","status":"succeeded"}"#)
    }
  }

  @Test func anEndedJobsStreamEndsAtOnce() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      let messages = try await EventStream(server, job.id).rest()
      #expect(try Self.job(messages[1]) == job)
      #expect(try await Self.events(messages) == Self.page(server, job.id))
      #expect(messages.last?.reason == "ended")
      #expect(messages.filter { $0.event == "job" }.count == 1)
    }
  }

  @Test(arguments: ["header", "query", "both"]) func aStreamGoesOnAfterTheLastEvent(_ way: String) async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let all = try await Self.page(server, id)
      for (position, event) in all.enumerated() {
        let query = ["query": "?after=\(event.sequence)", "both": "?after=0"][way] ?? ""
        let stream = try await EventStream(
          server, id, query: query, headers: way == "query" ? [:] : ["Last-Event-ID": "\(event.sequence)"])
        #expect(try await Self.events(stream.rest()) == Array(all.dropFirst(position + 1)))
      }
    }
  }

  /// As after a backup was restored.
  @Test func aNumberThatIsNotGivenOutYetIsTakenAsTheLast() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let stream = try await EventStream(server, id, headers: ["Last-Event-ID": "\(Int.max)"])
      _ = try await stream.messages { $0.event == "job" }
      server.engine.release()
      let events = try await Self.events(stream.rest())
      #expect(events.last?.data["status"]?.stringValue == "succeeded")
    }
  }

  @Test func aLongHistoryComesInParts() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      for number in 0..<700 { try server.engine.warn("number \(number)") }
      server.engine.release()
      _ = try await server.ended(id)
      let all = try await Self.page(server, id)
      #expect(all.count > 700)
      #expect(try await Self.events(EventStream(server, id).rest()) == all)
    }
  }

  @Test func aHeartbeatShowsThatTheDaemonLives() async throws {
    try await TestServer.run(configure: { $0.eventTiming.heartbeat = .milliseconds(100) }) { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let stream = try await EventStream(server, server.submit("held").id)
      var beats = 0
      while beats < 3 { if try await stream.next()?.comment == " heartbeat" { beats += 1 } }
    }
  }

  @Test func progressComesWithoutANumberAndNotTooOften() async throws {
    try await TestServer.run(configure: { $0.eventTiming.progress = .milliseconds(400) }) { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let stream = try await EventStream(server, id)
      _ = try await stream.messages { $0.event == "stage" }
      let start = ContinuousClock.now
      for step in 1...200 { try server.engine.report(.init(layer: "a", done: step, total: 200, fraction: Double(step) / 200)) }
      let messages = try await stream.messages { $0.event == "progress" && $0.data?["progress"]?["done"]?.intValue == 200 }
      let took = ContinuousClock.now - start
      let notices = messages.filter { $0.event == "progress" }
      #expect(Double(notices.count) <= took / .milliseconds(400) + 2)
      let versions = notices.compactMap { $0.data?["version"]?.intValue }
      #expect(versions == versions.sorted() && Set(versions).count == notices.count)
      let last = try #require(notices.last)
      #expect(last.id == nil && last.data?["status"]?.stringValue == "running" && last.data?["stage"]?.stringValue == "quantizing")
      server.engine.release()
      #expect(try await stream.rest().last?.reason == "ended")
    }
  }

  @Test func theDaemonsStopEndsAStreamCleanly() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let streams = [try await EventStream(server, id), try await EventStream(server, server.submit("quick").id)]
      for stream in streams { _ = try await stream.messages { $0.event == "job" } }
      server.stop()
      let messages = try await streams[0].rest()
      // The job's way back into the queue is seen yet.
      #expect(try Self.events(messages).last?.data["status"]?.stringValue == "queued")
      #expect(messages.last?.reason == "draining")
      #expect(try await streams[1].rest().last?.reason == "draining")
      try await server.stopped()
    }
  }

  @Test func aDeletedJobsReadersLearnOfIt() async throws {
    try await TestServer.run { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let id = try await server.submit("held").id
      let stream = try await EventStream(server, id)
      _ = try await stream.messages { $0.event == "status" }
      _ = try await server.send("POST", "/v1/jobs/\(id)/cancel")
      #expect(try await server.send("DELETE", "/v1/jobs/\(id)").status == 204)
      // The end is seen where it was looked at before the deletion.
      #expect(["ended", "deleted"].contains(try await stream.rest().last?.reason))
    }
  }

  @Test(
    arguments: [
      (nil, false), ("*/*", false), ("application/json", false), ("text/*", false), ("text/event-stream", true),
      ("TEXT/Event-Stream", true), ("application/json, text/event-stream", true), ("text/event-stream;q=0", false),
      ("text/event-stream;q=0.5, application/json", false), ("text/event-stream;q=x", false), ("text/html, text/event-stream; q=0.1", true),
      (",;,text/event-stream", true), (String(repeating: ",", count: 20_000), false),
    ] as [(String?, Bool)])
  func onlyWhoAsksForAStreamGetsOne(_ accept: String?, _ isStream: Bool) async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let answer = try await server.send("GET", "/v1/jobs/\(id)/events", accept.map { ["Accept": $0] } ?? [:])
      #expect(answer.headers["content-type"] == (isStream ? "text/event-stream" : "application/json"))
      #expect(answer.headers["vary"] == "Accept")
    }
  }

  @Test func whatCantBeStreamedIsRefusedBeforeTheStreamBegins() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      let accept = ["Accept": "text/event-stream"]
      for number in ["x", "-1", "1.5", " ", "99999999999999999999", "+1", "１"] where !number.trimmingCharacters(in: .whitespaces).isEmpty {
        let answer = try await server.send("GET", "/v1/jobs/\(id)/events", accept.merging(["Last-Event-ID": number]) { $1 })
        #expect(answer.status == 400, "\(number)")
        #expect(try answer.problem().detail.contains("number of an event"))
      }
      #expect(try await server.send("GET", "/v1/jobs/\(id)/events?limit=3", accept).problem().errors?.first?.pointer == "?limit")
      #expect(try await server.send("GET", "/v1/jobs/\(JobID())/events", accept).status == 404)
      let head = try await server.send("HEAD", "/v1/jobs/\(id)/events", accept)
      #expect(head.status == 200 && head.body.isEmpty && head.headers["content-type"] == "text/event-stream")
    }
  }
}
