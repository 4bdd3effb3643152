import ArgumentParser

struct Solver: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "The solver alone on the shapes of Qwen2-7B.")

  @OptionGroup var options: RunOptions

  func run() throws {
    try options.report { session, report in report.add(try SolverBenchmark(peak: session.peak, runs: session.runs).measure()) }
  }
}
