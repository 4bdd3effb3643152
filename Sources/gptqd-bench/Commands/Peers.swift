import ArgumentParser
import Foundation

struct Peers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "GPTQModel and our job by turns, on the same tokens.",
    discussion: """
      Without --samples, --length and --group: 32 sequences of 512 tokens, group 64. GPTQModel's time is that of its quantize(); ours \
      is from opening the checkpoint to the artifact on disk.
      """)

  @OptionGroup var options: RunOptions
  @OptionGroup var job: JobOptions

  @Option(help: "Checkpoint folder with a tokenizer.")
  var model: String

  @Option(help: "Python that has gptqmodel and its torch.")
  var python: String

  func validate() throws {
    guard job.tokens != nil else { throw ValidationError("--tokens is needed: both get the same") }
  }

  func run() throws {
    let specification = job.specification(model: URL(filePath: model), samples: 32, length: 512, group: 64)
    try specification.check()
    try options.report { session, report in
      report.add(try PeerBenchmark(session: session, job: specification, python: URL(filePath: python)).measure())
    }
  }
}
