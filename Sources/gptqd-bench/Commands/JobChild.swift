import ArgumentParser
import Foundation
import LinearAlgebra

/// What a measured job's own process does; prints `JobRun` as JSON.
struct JobChild: ParsableCommand {
  static let name = "job-child"
  static let configuration = CommandConfiguration(commandName: name, shouldDisplay: false)

  @Argument(help: "JobSpecification as JSON.")
  var specification: String

  @Option(help: "Cores to use.")
  var threads: Int

  @Option(help: "Folder for what the job writes.")
  var folder: String

  func run() throws {
    Cores.perJob = threads
    let job = try JSONDecoder().decode(JobSpecification.self, from: Data(specification.utf8))
    let result = try JobRun(job, in: URL(filePath: folder))
    try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(result))
  }
}
