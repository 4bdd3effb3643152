import Cluster
import Foundation
import JobStore

/// What `gptqd check` finds out about this machine and configuration. It makes no files where the daemon would: those of
/// a check that root runs couldn't be written by the daemon's own user. A database that is there is migrated.
public enum DaemonChecks {
  /// - Parameter environment: Of the process.
  public static func run(
    configurationFile: String?, environment: [String: String] = ProcessInfo.processInfo.environment
  ) async -> [CheckResult] {
    do {
      let configuration = try await ServiceConfiguration(file: configurationFile, environment: environment)
      let result = CheckResult(name: "configuration", passed: true, detail: "to listen on \(configuration.listen)")
      let count = configuration.tokens.count
      let access = CheckResult(
        name: "access", passed: true, detail: count == 0 ? "no tokens: loopback only" : "\(count) token\(count == 1 ? "" : "s")")
      return [result, access] + (await slurm(configuration)) + hub(configuration.hub) + data(configuration) + roots(configuration)
    } catch {
      return [CheckResult(name: "configuration", passed: false, detail: "\(error)")]
    }
  }

  private static func slurm(_ configuration: ServiceConfiguration) async -> [CheckResult] {
    guard configuration.executor == .slurm else { return [] }
    do {
      return [
        CheckResult(
          name: "Slurm", passed: true, detail: "answers, with \(try await SlurmExecutor.probe(configuration.slurm)) jobs of this user")
      ]
    } catch {
      return [CheckResult(name: "Slurm", passed: false, detail: "\(error)")]
    }
  }

  /// Asks nobody.
  private static func hub(_ settings: HubSettings) -> [CheckResult] {
    guard let endpoint = settings.endpoint else { return [] }
    guard OutgoingConnection.isPossible else {
      return [CheckResult(name: "hub", passed: false, detail: "\(HubError.noLibrary). \(HubError.noLibrary.advice)")]
    }
    return [CheckResult(name: "hub", passed: true, detail: "\(endpoint), with\(settings.token == nil ? "out" : "") a token")]
  }

  private static func data(_ configuration: ServiceConfiguration) -> [CheckResult] {
    let url = configuration.dataFolder
    guard FileManager.default.fileExists(atPath: url.path) else { return [futureFolder(url), database(nil)] }
    guard FileManager.default.isWritableFile(atPath: url.path) else {
      return [CheckResult(name: "data folder", passed: false, detail: "\(url.path) can't be written by this user")]
    }
    do {
      try DataFolder.requireUnused(url)
    } catch {
      return [CheckResult(name: "data folder", passed: false, detail: "\(error)")]
    }
    let file = DataFolder.database(in: url)
    return [
      CheckResult(name: "data folder", passed: true, detail: "\(url.path), \(freeSpace(url)), not in use"),
      database(FileManager.default.fileExists(atPath: file.path) ? file : nil),
    ]
  }

  private static func futureFolder(_ url: URL) -> CheckResult {
    var parent = url.deletingLastPathComponent()
    while parent.pathComponents.count > 1, !FileManager.default.fileExists(atPath: parent.path) { parent.deleteLastPathComponent() }
    guard FileManager.default.isWritableFile(atPath: parent.path) else {
      return CheckResult(
        name: "data folder", passed: false, detail: "\(url.path) can't be made: \(parent.path) can't be written by this user")
    }
    return CheckResult(name: "data folder", passed: true, detail: "\(url.path) will be made at the first start, \(freeSpace(parent))")
  }

  private static func freeSpace(_ url: URL) -> String {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: url.path)
    guard let free = attributes?[.systemFreeSize] as? NSNumber else { return "free space unknown" }
    return "\(free.int64Value >> 30) GiB free"
  }

  /// - Parameter file: nil where there is none yet; the migrations are then tried on a temporary one.
  private static func database(_ file: URL?) -> CheckResult {
    let temporary = FileManager.default.temporaryDirectory.appending(component: "gptqd-check-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: temporary) }
    do {
      if file == nil { try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true) }
      _ = try JobRepository(database: file ?? temporary.appending(component: "gptqd.sqlite"))
      return CheckResult(
        name: "database", passed: true, detail: file == nil ? "none yet; the migrations apply" : "opens, all migrations applied")
    } catch {
      return CheckResult(name: "database", passed: false, detail: "\(error)")
    }
  }

  private static func roots(_ configuration: ServiceConfiguration) -> [CheckResult] {
    let data = configuration.dataFolder.standardizedFileURL.path + "/"
    let roots = configuration.modelRoots.map { ("models", $0) } + configuration.datasetRoots.map { ("datasets", $0) }
    return roots.map { name, url in
      if let entries = try? FileManager.default.contentsOfDirectory(atPath: url.path) {
        return CheckResult(name: name, passed: true, detail: "\(url.path), \(entries.count) entries")
      }
      let willBeMade = url.standardizedFileURL.path.hasPrefix(data) && !FileManager.default.fileExists(atPath: url.path)
      return CheckResult(
        name: name, passed: willBeMade, detail: "\(url.path) " + (willBeMade ? "will be made at the first start" : "can't be read"))
    }
  }
}
