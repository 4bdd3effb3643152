import ArgumentParser
import Service

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Checks configuration, data folder, database and BLAS.")

  @OptionGroup var file: ConfigurationFile

  func run() async throws {
    let results = EngineChecks.run() + (await DaemonChecks.run(configurationFile: file.path))
    for result in results { print("\(result.passed ? "✓" : "✗") \(result.name): \(result.detail)") }
    if !results.allSatisfy(\.passed) { throw ExitCode.failure }
  }
}
