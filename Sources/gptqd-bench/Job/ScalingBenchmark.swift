import Foundation

/// A job on a small random model, one with twice the tokens and one with twice the blocks.
struct ScalingBenchmark {
  let session: Session
  let job: JobOptions

  private static func shape(blocks: Int) -> ModelShape {
    ModelShape(hidden: 1024, intermediate: 4096, heads: 8, keyValueHeads: 2, vocabulary: 8192, blocks: blocks)
  }
  private static let blocks = 4

  func measure() throws -> JobFinding {
    try Interruption.withTemporaryFolder(in: session.scratch) { folder in
      let (small, deep) = (folder.appending(component: "small"), folder.appending(component: "deep"))
      Report.note("two small checkpoints")
      try RandomCheckpoint(Self.shape(blocks: Self.blocks), seed: job.seed).write(to: small)
      try RandomCheckpoint(Self.shape(blocks: 2 * Self.blocks), seed: job.seed).write(to: deep)
      let base = job.specification(model: small, samples: 8, length: 512)
      var (longer, deeper) = (base, base)
      longer.samples *= 2
      deeper.model = deep
      let names = ["\(Self.blocks) blocks", "twice the tokens", "twice the blocks"]
      let jobs = try measureByTurns(zip(names, [base, longer, deeper]).map { ($0, $1) }, runs: session.runs ?? 1)
      return JobFinding(
        key: "scaling", heading: "Hidden size 1024, inner size 4096: \(base.summary)", jobs: jobs,
        goals: [
          Goal("twice the tokens, times the seconds", jobs[1].seconds.median / jobs[0].seconds.median, .atMost, 2.1),
          Goal("twice the blocks, times the seconds", jobs[2].seconds.median / jobs[0].seconds.median, .atMost, 2.1),
          Goal(
            "twice the blocks, times the memory",
            Double(jobs[2].peakMemory.resident) / Double(max(1, jobs[0].peakMemory.resident)), .atMost, 1.05),
        ])
    }
  }

  /// By turns, so that what else the machine does falls on all alike.
  private func measureByTurns(_ jobs: [(name: String, job: JobSpecification)], runs: Int) throws -> [JobMeasurement] {
    var results = jobs.map { _ in [(run: JobRun, memory: ChildProcess.PeakMemory)]() }
    for run in 1...runs {
      for (index, job) in jobs.enumerated() {
        Report.note("\(job.name), run \(run) of \(runs)")
        results[index].append(try job.job.runInChild(scratch: session.scratch))
      }
    }
    return try zip(jobs, results).map { try JobMeasurement($0.name, $0.job, runs: $1, peak: session.peak) }
  }
}
