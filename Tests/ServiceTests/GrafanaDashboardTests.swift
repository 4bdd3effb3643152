import Foundation
import StrictJSON
import Testing

/// The dashboard asks only for what the daemon has.
@Suite struct GrafanaDashboardTests {
  private static func dashboard() throws -> JSONValue {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../config/grafana-dashboard.json")
    return try JSONValue(parsing: Array(Data(contentsOf: file)))
  }

  private static func strings(_ name: String, in value: JSONValue) -> [String] {
    switch value {
    case .object(let object):
      object.members.flatMap { key, value in (key == name ? value.stringValue.map { [$0] } ?? [] : []) + strings(name, in: value) }
    case .array(let values): values.flatMap { strings(name, in: $0) }
    default: []
    }
  }

  @Test func everyQueryIsOfMetricsAndLabelsThatThereAre() async throws {
    let queries = try Self.strings("expr", in: Self.dashboard())
    #expect(queries.count > 15)
    try await TestServer.run { server in
      _ = try await server.succeededJob()
      // So that every family has a sample, which tells its labels.
      let connection = try RawConnection(port: server.port)
      await connection.send("GET / HTTP/1.1\r\n\r\n")
      _ = try await connection.receiveAll()
      connection.close()
      for _ in 0..<2 { _ = try await server.send("GET", "/metrics") }
      let text = try MetricsText(String(decoding: try await server.send("GET", "/metrics").body, as: UTF8.self))
      let names = Dictionary(
        text.families.flatMap { family in
          (family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map { (family.name + $0, family) }
        }, uniquingKeysWith: { $1 })
      for query in queries {
        let used = query.matches(of: /(?:gptqd|process)_[a-z0-9_]+/).map { String($0.0) }
        #expect(!used.isEmpty, "\(query)")
        for name in used { #expect(names[name] != nil, "\(name) in \(query)") }
        // "job" and "instance" are labels that Prometheus adds.
        var labels: Set = ["le", "job", "instance"]
        for name in used { labels.formUnion(names[name]?.labels ?? []) }
        let grouped = query.matches(of: /by \(([a-z_, ]+)\)/).flatMap { $0.1.split(separator: ", ").map(String.init) }
        let matched = query.matches(of: /\{([^}]*)\}/).flatMap {
          $0.1.split(separator: ",").map { String($0.prefix { $0 != "=" && $0 != "!" }) }
        }
        for label in grouped + matched { #expect(labels.contains(label), "\(label) in \(query)") }
      }
    }
  }

  @Test func panelsHaveTitlesUnitsAndPlacesOfTheirOwn() throws {
    guard case .array(let panels) = try #require(Self.dashboard()["panels"]) else {
      Issue.record("no panels")
      return
    }
    var taken: Set<[Int]> = []
    for panel in panels {
      let title = try #require(panel["title"]?.stringValue)
      #expect(!title.isEmpty)
      let place = try #require(panel["gridPos"])
      let (x, y, w, h) = (
        try #require(place["x"]?.intValue), try #require(place["y"]?.intValue), try #require(place["w"]?.intValue),
        try #require(place["h"]?.intValue)
      )
      #expect(x >= 0 && x + w <= 24, "\(title)")
      for column in x..<x + w {
        for row in y..<y + h { #expect(taken.insert([column, row]).inserted, "\(title) lies over another panel") }
      }
      if panel["type"]?.stringValue != "row" { #expect(panel["fieldConfig"]?["defaults"]?["unit"]?.stringValue != nil, "\(title)") }
    }
  }
}
