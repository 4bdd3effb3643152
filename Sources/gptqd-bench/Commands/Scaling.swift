import ArgumentParser

struct Scaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "A small random model: twice the tokens, and twice the blocks.",
    discussion: "Without --samples and --length: 8 sequences of 512 tokens, and 16. One run each, unless --runs says otherwise.")

  @OptionGroup var options: RunOptions
  @OptionGroup var job: JobOptions

  func run() throws {
    try options.report { session, report in report.add(try ScalingBenchmark(session: session, job: job).measure()) }
  }
}
