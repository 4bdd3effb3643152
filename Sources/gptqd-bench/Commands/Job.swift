import ArgumentParser
import Foundation

struct Job: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A job from opening a checkpoint to the artifact on disk, in a process of its own.",
    discussion: "Without --samples, --length and --group: 32 sequences of 512 tokens, group 128.")

  @OptionGroup var options: RunOptions
  @OptionGroup var job: JobOptions

  @Option(help: "Checkpoint folder in Hugging Face layout.")
  var model: String

  func run() throws {
    let specification = job.specification(model: URL(filePath: model), samples: 32, length: 512)
    try specification.check()
    try options.report { session, report in
      let name = specification.model.lastPathComponent
      let measurement = try specification.measure(name, runs: session.runs ?? 3, in: session)
      report.add(JobFinding(key: "job", heading: "Job: \(specification.summary)", jobs: [measurement], goals: []))
    }
  }
}
