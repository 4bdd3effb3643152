import ArgumentParser

/// The command line.
@main
struct GPTQDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gptqd-bench", abstract: "Measures jobs and their parts beside what this machine's sgemm reaches in the same run.",
    discussion: """
      Without a subcommand: limits, solver, scaling and qwen2-7b. Tables go to standard output, what is being measured to \
      standard error. Seconds are wall time. Anything else that runs on the machine spoils the numbers.
      """,
    subcommands: [
      Everything.self, Limits.self, Solver.self, Scaling.self, Qwen2.self, Job.self, Generate.self, RanksCommand.self, Nodes.self,
      Peers.self,
      TokenizerCommand.self, JobChild.self,
    ], defaultSubcommand: Everything.self)
}
