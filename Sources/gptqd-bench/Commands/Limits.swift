import ArgumentParser

struct Limits: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "The machine's limits, and parts of a job beside them.")

  @OptionGroup var options: RunOptions

  func run() throws {
    try options.report { session, report in report.add(try LimitBenchmarks(peak: session.peak, runs: session.runs).measure()) }
  }
}
