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

  @Test func listsComeInParts() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      var layers: [String] = []
      var query = "?limit=1"
      while true {
        let page = try await server.send("GET", "/v1/jobs/\(id)/layers" + query).decode(APIList<LayerRecord>.self)
        layers += page.data.map(\.name)
        #expect(page.lastId == layers.last)
        guard page.hasMore, let last = page.lastId else { break }
        query = "?limit=1&after=\(last)"
      }
      #expect(layers == FakeEngine.layers.map(\.name))
      var attempts: [AttemptRecord] = []
      query = "?limit=3"
      while true {
        let page = try await server.send("GET", "/v1/jobs/\(id)/attempts" + query).decode(APIList<AttemptRecord>.self)
        attempts += page.data
        guard page.hasMore, let last = page.lastId else { break }
        query = "?limit=3&after=\(last)"
      }
      #expect(attempts.map(\.number) == [1, 2, 1, 2])
      #expect(attempts.map(\.layer) == FakeEngine.layers.flatMap { [$0.name, $0.name] })
      let none = try await server.send("GET", "/v1/jobs/\(id)/layers?after=nothing").decode(APIList<LayerRecord>.self)
      #expect(none.data.isEmpty && !none.hasMore)
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
