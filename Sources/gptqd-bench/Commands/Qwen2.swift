import ArgumentParser

struct Qwen2: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qwen2-7b", abstract: "A job on some blocks of a Qwen2-7B of random weights.",
    discussion: """
      Without --samples and --length: 8 sequences of 2048 tokens. Without error compensation unless --all-features is given, within \
      8 GiB unless --memory is, one run unless --runs is. The checkpoint takes 3 GB for 2 blocks, the job 3 GB more.
      """)

  @OptionGroup var options: RunOptions
  @OptionGroup var job: JobOptions

  @Option(help: "Decoder blocks, of 28.")
  var blocks = 2

  @Flag(help: "With error compensation.")
  var allFeatures = false

  func run() throws {
    try options.report { session, report in
      report.add(try Qwen2Benchmark(session: session, job: job, blocks: blocks, compensates: allFeatures).measure())
    }
  }
}
