import Foundation
import JobModel
import Testing

@Suite struct QueueLimitTests {
  private static func json(_ model: String) -> String { #"{"model":"\#(model)","quantization":{"method":"rtn"}}"# }

  @Test func jobsThatFindNoRoomAreRefused() async throws {
    try await TestServer.run(["GPTQD_JOBS_MAX_QUEUED": "2"]) { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let waiting = try await server.post(Self.json("held"), ["Idempotency-Key": "one"]).decode(Job.self)
      let other = try await server.submit("held").id
      let refused = try await server.post(Self.json("held"))
      #expect(refused.status == 429)
      #expect(refused.headers["retry-after"] == "30")
      #expect(try refused.problem().code == .tooManyJobs)
      #expect(try refused.problem().detail.contains("jobs.max_queued"))
      // What is stored is answered as before.
      let replayed = try await server.post(Self.json("held"), ["Idempotency-Key": "one"])
      #expect(replayed.status == 202)
      #expect(try replayed.decode(Job.self).id == waiting.id)
      _ = try await server.send("POST", "/v1/jobs/\(other)/cancel")
      #expect(try await server.post(Self.json("held")).status == 202)
      let retried = try await server.send("POST", "/v1/jobs/\(other)/retry")
      #expect(try retried.problem().code == .tooManyJobs)
      #expect(try await server.job(other).status == .cancelled)
      #expect(try await server.send("POST", "/v1/jobs/\(waiting.id)/retry").status == 200)
    }
  }

  @Test func theLimitHoldsForRequestsAtTheSameTime() async throws {
    try await TestServer.run(["GPTQD_JOBS_MAX_QUEUED": "5"]) { server in
      _ = try await server.submit("stubborn")
      _ = await server.engine.nextStart()
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<20 { group.addTask { try await server.post(Self.json("held")).status } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(statuses.count { $0 == 202 } == 5)
      #expect(statuses.count { $0 == 429 } == 15)
    }
  }
}
