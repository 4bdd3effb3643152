import Foundation
import JobStore

/// What `gptqd check` finds out about this machine and configuration, without starting anything.
public enum DaemonChecks {
  public static func run(configurationFile: String?) async -> [CheckResult] {
    var results = EngineChecks.run()
    do {
      let configuration = try await ServiceConfiguration(file: configurationFile)
      results.append(
        CheckResult(name: "configuration", passed: true, detail: "listens on \(configuration.host):\(configuration.port)"))
      results += data(configuration)
      results += roots(configuration)
    } catch {
      results.append(CheckResult(name: "configuration", passed: false, detail: "\(error)"))
    }
    return results
  }

  private static func data(_ configuration: ServiceConfiguration) -> [CheckResult] {
    do {
      let folder = try DataFolder(configuration.dataFolder)
      let values = try? folder.url.resourceValues(forKeys: [.volumeAvailableCapacityKey])
      let free = values?.volumeAvailableCapacity.map { "\($0 >> 30) GiB free" } ?? "free space unknown"
      _ = try JobRepository(database: folder.database)
      return [
        CheckResult(name: "data folder", passed: true, detail: "\(folder.url.path), \(free)"),
        CheckResult(name: "database", passed: true, detail: "opens, all migrations applied"),
      ]
    } catch {
      return [CheckResult(name: "data folder", passed: false, detail: "\(error)")]
    }
  }

  private static func roots(_ configuration: ServiceConfiguration) -> [CheckResult] {
    let roots = configuration.modelRoots.map { ("models", $0) } + configuration.datasetRoots.map { ("datasets", $0) }
    return roots.map { name, url in
      let entries = try? FileManager.default.contentsOfDirectory(atPath: url.path)
      return CheckResult(
        name: name, passed: entries != nil, detail: entries.map { "\(url.path), \($0.count) entries" } ?? "\(url.path) can't be read")
    }
  }
}
