import Foundation

/// A job on a few blocks of a random model of Qwen2-7B's shape.
struct Qwen2Benchmark {
  let session: Session
  let job: JobOptions
  let blocks: Int
  var compensates = false

  private static let memoryLimit = 8 << 30

  func measure() throws -> JobFinding {
    try Interruption.withTemporaryFolder(in: session.scratch) { folder in
      let checkpoint = try RandomCheckpoint(.qwen2(blocks: blocks), seed: job.seed)
      Report.note("a checkpoint of Qwen2-7B's shape, \(blocks) blocks, \(checkpoint.byteCount / 1_000_000) MB")
      try checkpoint.write(to: folder)
      var specification = job.specification(model: folder, samples: 8, length: 2048, compensates: compensates)
      specification.memoryLimit = specification.memoryLimit ?? Self.memoryLimit
      let measurement = try specification.measure("Qwen2-7B, \(blocks) blocks", runs: session.runs ?? 1, in: session)
      return JobFinding(
        key: "qwen2_7b", heading: "Qwen2-7B's shape: \(specification.summary)", jobs: [measurement],
        goals: [
          Goal("utilization", measurement.utilization, .atLeast, 0.75),
          Goal("peak memory, GiB", Double(measurement.peakMemory.resident) / Double(1 << 30), .atMost, 8),
        ])
    }
  }
}
