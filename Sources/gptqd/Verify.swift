import ArgumentParser
import JobModel
import Service

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares the bytes of finished checkpoints with their SHA-256.",
    discussion:
      "Reads only, beside a running daemon or without one. Exit code 1 if a file is damaged; the daemon doesn't serve such a file.")

  @OptionGroup var file: ConfigurationFile
  @Option(help: "Only this job.") var job: JobID?

  func run() async throws {
    let configuration = try await ServiceConfiguration(file: file.path)
    var files = 0
    let damaged = try await ArtifactAudit(dataFolder: configuration.dataFolder).run(only: job) { finding in
      files += 1
      print("\(finding.damage == nil ? "✓" : "✗") \(finding.job) \(finding.path)\(finding.damage.map { ": \($0)" } ?? "")")
    }
    print("\(files) files, \(damaged) damaged")
    if damaged > 0 { throw ExitCode.failure }
  }
}

extension JobID: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
