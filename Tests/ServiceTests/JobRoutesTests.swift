import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct JobRoutesTests {
  @Test func aJobGoesFromQueuedToSucceeded() async throws {
    try await TestServer.run { server in
      let job = try await server.succeededJob()
      #expect(job.attempt == 1)
      #expect(job.progress?.fraction == nil || job.progress?.fraction == 1)
      #expect(job.report?.layers == FakeEngine.layers.count)
      #expect(job.result?.repo == "jobs/\(job.id)")
      #expect(try await server.send("GET", "/v1/jobs/\(job.id.text.lowercased())").decode(Job.self) == job)
    }
  }

  @Test func anUnexpectedErrorFailsTheJob() async throws {
    try await TestServer.run { server in
      let job = try await server.ended(server.submit("broken").id)
      #expect(job.status == .failed)
      #expect(job.error?.code == "internal")
    }
  }

  @Test func theListHasPagesNewestFirst() async throws {
    try await TestServer.run { server in
      var ids: [JobID] = []
      for _ in 0..<3 { ids.append(try await server.submit("held").id) }
      _ = await server.engine.nextStart()
      ids.sort(by: >)
      let first = try await server.send("GET", "/v1/jobs?limit=2").decode(APIList<Job>.self)
      #expect(first.object == "list")
      #expect(first.data.map(\.id) == Array(ids.prefix(2)))
      #expect(first.hasMore)
      let last = try #require(first.lastId)
      let second = try await server.send("GET", "/v1/jobs?limit=2&after=\(last)").decode(APIList<Job>.self)
      #expect(second.data.map(\.id) == [ids[2]])
      #expect(!second.hasMore)
      #expect(try await server.send("GET", "/v1/jobs?status=running").decode(APIList<Job>.self).data.count == 1)
      #expect(try await server.send("GET", "/v1/jobs?status=queued").decode(APIList<Job>.self).data.count == 2)
      #expect(try await server.send("GET", "/v1/jobs?status=failed").decode(APIList<Job>.self).lastId == nil)
    }
  }

  @Test func aKnownVersionIsNotSentAgain() async throws {
    try await TestServer.run { server in
      let path = "/v1/jobs/\(try await server.succeededJob().id)"
      let tag = try #require(try await server.send("GET", path).headers["etag"])
      for header in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
        let answer = try await server.send("GET", path, ["If-None-Match": header])
        #expect(answer.status == 304)
        #expect(answer.headers["etag"] == tag)
        #expect(answer.body.isEmpty)
      }
      #expect(try await server.send("GET", path, ["If-None-Match": "\"0\""]).status == 200)
      #expect(try await server.send("GET", path + "?wait=60", ["If-None-Match": tag]).status == 304)
    }
  }

  @Test func waitHoldsTheAnswerUntilTheJobChanges() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("held")
      _ = await server.engine.nextStart()
      let queued = try await server.submit("held")
      let path = "/v1/jobs/\(queued.id)"
      // Another version than the present one is known: the answer comes at once.
      #expect(try await server.send("GET", path + "?wait=60", ["If-None-Match": "\"0\""]).decode(Job.self).version == queued.version)
      #expect(try await server.send("GET", path + "?wait=1", ["If-None-Match": "\"\(queued.version)\""]).status == 304)
      // The first release lets the job begin, the second lets it end.
      for (fields, version) in [("If-None-Match: \"\(queued.version)\"\r\n", queued.version), ("", queued.version + 1)] {
        let connection = try RawConnection(port: server.port)
        defer { connection.close() }
        await connection.send("GET \(path)?wait=60 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)\r\n")
        server.engine.release()
        let answer = try #require(RawAnswer(try await connection.receiveAll()))
        #expect(try answer.decode(Job.self).version > version)
      }
      #expect(try await server.ended(running.id).status == .succeeded)
    }
  }

  @Test func eventsHavePages() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let all = try await server.send("GET", "/v1/jobs/\(id)/events").decode(APIList<JobEvent>.self)
      #expect(!all.hasMore)
      #expect(all.data.map(\.kind).filter { $0 == .layer }.count == 2)
      #expect(all.data.map(\.kind).filter { $0 == .attempt }.count == 4)
      #expect(all.data.compactMap { $0.data["status"]?.stringValue } == ["queued", "running", "succeeded"])
      #expect(all.data.map(\.sequence) == all.data.map(\.sequence).sorted())
      var read: [JobEvent] = []
      var after = 0
      while true {
        let page = try await server.send("GET", "/v1/jobs/\(id)/events?limit=3&after=\(after)").decode(APIList<JobEvent>.self)
        read += page.data
        after = try #require(page.lastId.flatMap { Int($0) })
        if !page.hasMore { break }
      }
      #expect(read == all.data)
      let none = try await server.send("GET", "/v1/jobs/\(id)/events?after=\(Int.max)").decode(APIList<JobEvent>.self)
      #expect(none.data.isEmpty && none.lastId == nil)
    }
  }

  @Test func cancelEndsARunningJobAndAQueuedOne() async throws {
    try await TestServer.run { server in
      let running = try await server.submit("stubborn").id
      _ = await server.engine.nextStart()
      let queued = try await server.submit("held").id
      let cancelled = try await server.send("POST", "/v1/jobs/\(queued)/cancel")
      #expect(cancelled.status == 200)
      #expect(try cancelled.decode(Job.self).status == .cancelled)
      for _ in 0..<2 {
        #expect(try await server.send("POST", "/v1/jobs/\(running)/cancel").decode(Job.self).status == .cancelling)
      }
      server.engine.release()
      #expect(try await server.ended(running).status == .cancelled)
      #expect(try await server.send("POST", "/v1/jobs/\(running)/cancel").decode(Job.self).status == .cancelled)
    }
  }

  @Test func whatHasEndedOtherwiseCantBeCancelled() async throws {
    try await TestServer.run { server in
      for job in [try await server.succeededJob(), try await server.ended(server.submit("broken").id)] {
        let answer = try await server.send("POST", "/v1/jobs/\(job.id)/cancel")
        #expect(answer.status == 409)
        #expect(try answer.problem().code == .conflict)
        #expect(try await server.job(job.id).status == job.status)
      }
    }
  }
}
