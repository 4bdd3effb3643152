import Foundation
import JobModel
import Service
import StrictJSON
import Testing

/// The reference pages have everything that there is.
@Suite struct ReferencePageTests {
  private static func page(_ path: String) throws -> String {
    let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    return try String(contentsOf: repository.appending(path: path), encoding: .utf8)
  }

  /// The code in the first column of a page's tables.
  private static func firstColumn(_ page: String) -> Set<String> {
    Set(page.split(separator: "\n").compactMap { line in line.prefixMatch(of: /\| `([^`]+)` \|/).map { String($0.1) } })
  }

  /// As the page writes an endpoint, without the names of query parameters.
  private static func written(_ endpoint: String) -> String {
    endpoint.replacing(/:([a-z_]+)/) { "{\($0.1)}" }.replacing("/**", with: "/{path}")
  }

  @Test func everyRouteIsOnItsPage() async throws {
    let rows = Self.firstColumn(try Self.page("docs/api.md")).filter { $0.contains(" /") }
    let routes = Set(rows.map { String($0.prefix { $0 != "?" }) })
    try await TestServer.run { server in
      let endpoints = Set(server.endpoints.map(Self.written))
      #expect(endpoints.subtracting(routes).sorted() == [])
    }
  }

  /// Those that a row names are taken, and no others: a parameter that isn't known is refused by its name.
  @Test func queryParametersAreThoseOfThePage() async throws {
    let rows = Self.firstColumn(try Self.page("docs/api.md")).filter { $0.hasPrefix("GET /v1") }
    #expect(rows.count > 5)
    try await TestServer.run { server in
      for row in rows {
        let parts = row.split(separator: "?", maxSplits: 1)
        let path = parts[0].dropFirst(4).replacing(/{[a-z_]+}/, with: "x")
        let named = parts.count > 1 ? parts[1].split(separator: "&").map { String($0.prefix { $0 != "=" }) } : []
        let answer = try await server.send("GET", path + "?unknown=1")
        guard answer.status == 400 else { continue }
        let detail = try answer.problem().detail
        let known = detail.firstMatch(of: /known: (.*)/).map { $0.1.split(separator: ", ").map(String.init) } ?? []
        #expect(Set(known) == Set(named), "\(row)")
      }
    }
  }

  @Test func everySettingIsOnItsPage() throws {
    let keys = Set(ConfigurationKey.allCases.map(\.rawValue))
    #expect(keys.subtracting(Self.firstColumn(try Self.page("docs/configuration.md"))).sorted() == [])
  }

  @Test func everyFieldOfARequestIsOnItsPage() throws {
    // Everything that can be left out is there.
    let hub = HubReference(hub: "org/name", commit: String(repeating: "0", count: 40))
    let requests = [ModelReference.name("m"), .hub(hub)].map { model in
      JobRequest(
        model: model, moe: MixtureRequest(), calibration: CalibrationRequest(dataset: "d", samples: 1, sequenceLength: 1),
        evaluation: EvaluationRequest(dataset: "d", samples: 1, sequenceLength: 1))
    }
    func fields(_ value: JSONValue, _ name: String) -> [String] {
      guard let object = value.objectValue else { return [name] }
      return object.members.flatMap { key, value in fields(value, name.isEmpty ? key : name + "." + key) }
    }
    let found = try requests.flatMap { fields(try JSONValue(parsing: Array(APICoding.encode($0))), "") }
    #expect(Set(found).subtracting(Self.firstColumn(try Self.page("docs/requests.md"))).sorted() == [])
  }

  @Test func linksLeadToPages() throws {
    let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
    let pages =
      ["README.md"] + (try FileManager.default.contentsOfDirectory(atPath: repository.appending(path: "docs").path)).map { "docs/" + $0 }
    for page in pages {
      for match in try Self.page(page).matches(of: /\]\(([^)#:]+)\)/) {
        let target = repository.appending(path: page).deletingLastPathComponent().appending(path: String(match.1))
        #expect(FileManager.default.fileExists(atPath: target.path), "\(match.1) in \(page)")
      }
    }
    #expect(try Self.page("README.md").split(separator: "\n", omittingEmptySubsequences: false).count < 250)
  }

  @Test func testsThatHoldPromisesExist() throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let files =
      FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil)?.compactMap { ($0 as? URL)?.lastPathComponent } ?? []
    let named = Set(try Self.page("README.md").matches(of: /`([A-Za-z]+Tests)`/).map { String($0.1) })
    #expect(named.count > 15)
    #expect(named.subtracting(files.map { $0.replacing(".swift", with: "") }).sorted() == [])
  }

  @Test func metricsThatTheGuideNamesExist() async throws {
    let page = try Self.page("docs/operating.md")
    try await TestServer.run { server in
      let text = try MetricsText(String(decoding: try await server.send("GET", "/metrics").body, as: UTF8.self))
      let named = Set(page.matches(of: /\b(gptqd|process)_[a-z_]+\b/).map { String($0.0) })
      #expect(named.count > 5)
      for name in named { #expect(text[name] != nil, "\(name)") }
    }
  }
}
