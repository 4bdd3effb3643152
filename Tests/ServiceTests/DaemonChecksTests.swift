import Foundation
import JobStore
import Service
import Testing

@Suite struct DaemonChecksTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ yaml: String? = nil) async throws -> [CheckResult] {
    let file = try folder.write("gptqd.yaml", Data((yaml ?? "data: {folder: \(folder.url.path)/data}").utf8))
    return await DaemonChecks.run(configurationFile: file.path, environment: [:])
  }

  private func result(_ name: String, in results: [CheckResult]) throws -> CheckResult { try #require(results.first { $0.name == name }) }

  @Test func beforeTheFirstStartAllIsWellAndNothingIsMade() async throws {
    let results = try await run()
    #expect(results.map(\.name) == ["configuration", "access", "data folder", "database", "models", "datasets"])
    #expect(results.allSatisfy { $0.passed }, "\(results)")
    #expect(try result("data folder", in: results).detail.contains("will be made"))
    #expect(try result("access", in: results).detail == "no tokens: loopback only")
    #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/data"))
  }

  @Test func aFolderThatIsThereIsLookedAt() async throws {
    _ = try DataFolder(folder.url.appending(component: "data"))
    try folder.write("data/models/m/config.json")
    let results = try await run()
    #expect(results.allSatisfy { $0.passed }, "\(results)")
    #expect(try result("data folder", in: results).detail.contains("GiB free"))
    #expect(try result("models", in: results).detail.contains("1 entries"))
  }

  @Test func aFolderInUseIsSaid() async throws {
    let data = try DataFolder(folder.url.appending(component: "data"))
    let check = try result("data folder", in: try await run())
    #expect(!check.passed)
    #expect(check.detail.contains("pid \(getpid())"))
    withExtendedLifetime(data) {}
  }

  @Test func aDamagedDatabaseIsSaid() async throws {
    try folder.write("data/gptqd.sqlite", Data(repeating: 7, count: 4096))
    #expect(try result("database", in: try await run()).passed == false)
  }

  @Test func missingRootsAreSaid() async throws {
    let results = try await run("data: {folder: \(folder.url.path)/data}\nmodels: {roots: /nowhere}")
    #expect(try result("models", in: results).passed == false)
    #expect(try result("models", in: results).detail.contains("/nowhere"))
  }

  @Test func aBadConfigurationEndsTheChecks() async throws {
    let results = try await run("log: {level: loud}")
    #expect(results.map(\.passed) == [false])
    #expect(results.first?.detail.contains("log.level") == true)
  }
}
