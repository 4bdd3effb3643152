import ArgumentParser

struct Everything: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "all", abstract: "All that needs no model from outside: limits, solver, scaling and qwen2-7b.")

  @OptionGroup var options: RunOptions

  func run() throws {
    try options.report { session, report in
      report.add(try LimitBenchmarks(peak: session.peak, runs: session.runs).measure())
      report.add(try SolverBenchmark(peak: session.peak, runs: session.runs).measure())
      let job = try JobOptions.parse([])
      report.add(try ScalingBenchmark(session: session, job: job).measure())
      report.add(try Qwen2Benchmark(session: session, job: job, blocks: 2).measure())
    }
  }
}
