import Foundation
import JobModel
import Service
import Testing

/// Many readers of event streams, and bad ones.
@Suite(.serialized) struct EventReadersTests {
  @Test func aThousandReadersGetAllOfIt() async throws {
    try await TestServer.run { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      var connections: [RawConnection] = []
      defer { for connection in connections { connection.close() } }
      for _ in 0..<1000 {
        connections.append(try RawConnection(port: server.port))
        await connections[connections.count - 1].send(EventStream.request(id))
      }
      // Everybody is in when the last one is.
      _ = try await connections[999].receive(limit: 64)
      let start = ContinuousClock.now
      server.engine.release()
      _ = try await server.ended(id)
      let events = try await server.send("GET", "/v1/jobs/\(id)/events").decode(APIList<JobEvent>.self).data
      var complete = 0
      for connection in connections {
        let text = String(decoding: try await connection.receiveAll(), as: UTF8.self).replacing("\r\n", with: "\n")
        let ids = text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.compactMap { Int($0.dropFirst(4)) }
        if ids == events.map(\.sequence), text.contains(#""reason":"ended""#), text.hasSuffix("\n0\n\n") { complete += 1 }
      }
      print("measured: a job's end seen by 1000 readers in \(ContinuousClock.now - start)")
      #expect(complete == 1000)
    }
  }

  @Test func streamsLeaveConnectionsForOthers() async throws {
    try await TestServer.run(["GPTQD_HTTP_MAX_CONNECTIONS": "8"]) { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      var streams: [EventStream] = []
      for _ in 0..<6 {
        streams.append(try await EventStream(server, id))
        _ = try await streams[streams.count - 1].messages { $0.event == "job" }
      }
      let refused = try await server.send("GET", "/v1/jobs/\(id)/events", ["Accept": "text/event-stream"])
      #expect(try refused.problem().detail.contains("http.max_connections"))
      #expect(refused.headers["retry-after"] != nil)
      #expect(try await server.send("GET", "/healthz").status == 200)
      // A place is free again once its reader is gone, which the next message shows.
      streams.removeAll()
      server.engine.release()
      _ = try await server.ended(id)
      var status = 429
      while status == 429 { status = try await server.send("GET", "/v1/jobs/\(id)/events", ["Accept": "text/event-stream"]).status }
      #expect(status == 200)
    }
  }

  @Test func aReaderThatStopsIsCutOffAndHoldsNothing() async throws {
    try await TestServer.run(configure: { $0.limits.downloadWindow = .seconds(4) }) { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let stopped = try await EventStream(server, id, receiveBuffer: 4096)
      let other = try await EventStream(server, id)
      _ = try await stopped.messages { $0.event == "stage" }
      let text = String(repeating: "x", count: 20_000)
      for _ in 0..<60 { try server.engine.warn(text) }
      server.engine.release()
      #expect(try await other.rest().last?.reason == "ended")
      // More than a million bytes were to come; what the system holds is read, then the connection is gone.
      await #expect(throws: EventStream.CutOff.self) { _ = try await stopped.rest() }
    }
  }

  @Test func idleStreamsOutliveEveryLimit() async throws {
    try await TestServer.run(["GPTQD_HTTP_IDLE_TIMEOUT_SECONDS": "1"]) {
      $0.limits.downloadWindow = .milliseconds(200)
      $0.limits.uploadWindow = .milliseconds(200)
      $0.eventTiming.heartbeat = .milliseconds(500)
    } _: { server in
      let id = try await server.submit("held").id
      _ = await server.engine.nextStart()
      let stream = try await EventStream(server, id)
      var beats = 0
      while beats < 6 { if try await stream.next()?.comment != nil { beats += 1 } }
      server.engine.release()
      #expect(try await stream.rest().last?.reason == "ended")
    }
  }
}
