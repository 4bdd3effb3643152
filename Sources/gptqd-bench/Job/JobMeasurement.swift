import Foundation
import LinearAlgebra
import Transformer

/// What runs of the same job took, each in a process of its own.
struct JobMeasurement: Encodable, Sendable {
  let name: String
  let job: String
  /// From opening the checkpoint to the artifact on disk.
  let seconds: Spread
  /// Putting the artifact together, at the median.
  let assemblySeconds: Double
  /// FLOP.
  let minimalWork: Double
  /// Minimal work ÷ (sgemm's peak × median).
  let utilization: Double
  let peakMemory: ChildProcess.PeakMemory
  let float64Factorizations: Int

  /// - Parameter runs: At least one.
  init(_ name: String, _ job: JobSpecification, runs: [(run: JobRun, memory: ChildProcess.PeakMemory)], peak: ProductPeak) throws {
    self.name = name
    self.job = job.summary
    seconds = Spread(runs.map(\.run.seconds))
    assemblySeconds = Spread(runs.map(\.run.assemblySeconds)).median
    let configuration = try ModelConfiguration(folder: job.model)
    minimalWork = MinimalWork(configuration, tokens: job.samples * job.length, length: job.length).total
    utilization = minimalWork / (peak.gigaflops * 1e9 * seconds.median)
    var memory = ChildProcess.PeakMemory()
    for run in runs { memory.include(run.memory) }
    peakMemory = memory
    float64Factorizations = runs.map(\.run.float64Factorizations).max() ?? 0
  }

  static let headings =
    ["job"] + Spread.headings + ["writing s", "least TFLOP", "of sgemm", "peak GiB", "without files"]

  var cells: [String] {
    [name] + seconds.cells + [
      assemblySeconds.asSeconds, (minimalWork / 1e12).rounded(decimals: 2), utilization.asPercentage,
      peakMemory.resident.asGibibytes, peakMemory.anonymous.asGibibytes,
    ]
  }
}

extension JobSpecification {
  /// Runs the job once in a process of its own.
  ///
  /// - Parameter scratch: Folder for all that the job writes; what it writes is removed.
  func runInChild(scratch: URL) throws -> (run: JobRun, memory: ChildProcess.PeakMemory) {
    try Interruption.withTemporaryFolder(in: scratch) { folder in
      let result = folder.appending(component: "result.json")
      let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let specification = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
      let child = ChildProcess(
        executable: URL(filePath: program),
        arguments: [JobChild.name, specification, "--threads", String(Cores.perJob), "--folder", folder.path])
      let memory = try child.run(output: result, errors: false)
      do {
        return (try JSONDecoder().decode(JobRun.self, from: Data(contentsOf: result)), memory)
      } catch {
        throw BenchError.unreadableResult(program: child.executable.lastPathComponent, reason: "\(error)")
      }
    }
  }

  /// Runs the job several times.
  func measure(_ name: String, runs: Int, in session: Session) throws -> JobMeasurement {
    let results = try (1...runs).map { run in
      Report.note("\(name), run \(run) of \(runs): \(summary)")
      return try runInChild(scratch: session.scratch)
    }
    return try JobMeasurement(name, self, runs: results, peak: session.peak)
  }
}

/// Jobs beside each other.
struct JobFinding: Finding {
  let key: String
  let heading: String
  let jobs: [JobMeasurement]
  let goals: [Goal]

  var table: TextTable {
    var table = TextTable(JobMeasurement.headings)
    for job in jobs { table.add(job.cells) }
    return table
  }

  private enum CodingKeys: CodingKey { case jobs }
}
