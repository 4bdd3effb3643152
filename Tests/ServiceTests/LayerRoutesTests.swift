import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct LayerRoutesTests {
  @Test func layersComeInTheirOrder() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let list = try await server.send("GET", "/v1/jobs/\(id)/layers").decode(APIList<LayerRecord>.self)
      #expect(list.data.map(\.name) == FakeEngine.layers.map(\.name))
      #expect(list.data.allSatisfy { $0.state == .done && $0.attempts == 2 && $0.damping == 0.1 })
      #expect(!list.hasMore)
    }
  }

  @Test func aLayerComesWithItsAttempts() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let name = FakeEngine.layers[1].name
      let answer = try await server.send("GET", "/v1/jobs/\(id)/layers/\(name)")
      #expect(try answer.decode(LayerRecord.self).name == name)
      let json = try JSONValue(parsing: Array(answer.body))
      #expect(json["relative_loss"]?.doubleValue == 0.5)
      #expect(json["attempts"]?.intValue == 2)
      #expect(json["history"]?.arrayValue?.map { $0["cause"]?.stringValue } == ["rank_deficient", nil])
      #expect(json["history"]?.arrayValue?.compactMap { $0["damping"]?.doubleValue } == [0.01, 0.1])
      #expect(try await server.send("GET", "/v1/jobs/\(id)/layers/\(name.replacing(".", with: "%2E"))").status == 200)
    }
  }

  @Test func attemptsCanBeThoseOfALayer() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let all = try await server.send("GET", "/v1/jobs/\(id)/attempts").decode(APIList<AttemptRecord>.self)
      #expect(all.data.map(\.layer) == FakeEngine.layers.flatMap { [$0.name, $0.name] })
      let name = FakeEngine.layers[0].name
      let some = try await server.send("GET", "/v1/jobs/\(id)/attempts?layer=\(name)").decode(APIList<AttemptRecord>.self)
      #expect(some.data == Array(all.data.prefix(2)))
      #expect(try await server.send("GET", "/v1/jobs/\(id)/attempts?layer=none").decode(APIList<AttemptRecord>.self).data.isEmpty)
    }
  }

  @Test(arguments: ["nothing", "model.layers.0", "..", "%2E%2E", "model%2Flayers", "%00", "%FF", "'%20OR%20'1'='1"])
  func anUnknownLayerIsNotFound(name: String) async throws {
    try await TestServer.run { server in
      let id = try await server.submit("quick").id
      let answer = try await server.send("GET", "/v1/jobs/\(id)/layers/\(name)")
      #expect(answer.status == 404)
      #expect(try answer.problem().code == .layerNotFound)
    }
  }
}
