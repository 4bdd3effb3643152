import Foundation
import LinearAlgebra
import Quantization
import Ranks

/// A job that ranks do together, measured on rank 0.
struct RankBenchmark {
  private let job: JobSpecification
  private let ranks: MeasuredRanks
  private let scratch: URL

  init(_ job: JobSpecification, ranks: any RankGroup, scratch: URL) {
    (self.job, self.ranks, self.scratch) = (job, MeasuredRanks(ranks), scratch)
  }

  /// - Returns: nil on all ranks but the first.
  func measure() throws -> RankFinding? {
    let name = try ranks.agreed { "gptqd-bench-\(UUID().uuidString)" }
    let folder = scratch.appending(component: name)
    if ranks.rank == 0 { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
    defer { if ranks.rank == 0 { try? FileManager.default.removeItem(at: folder) } }
    try ranks.meet()
    let clock = RankClock(ranks)
    let start = ContinuousClock.now
    let done = try ranks.together { try job.run(in: folder, ranks: ranks, observer: clock) }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // Nobody leaves while another still reads what is removed then.
    try ranks.meet()
    guard ranks.rank == 0 else { return nil }
    let digest = try ArtifactDigest(of: folder.appending(component: "artifact"), checkCancellation: {})
    return RankFinding(
      job: job.summary, ranks: ranks.count, coresPerRank: Cores.perJob, blocks: clock.blocks, seconds: seconds,
      assemblySeconds: done.assemblySeconds, exchanges: ranks.traffic.exchanges,
      files: digest.files.filter { $0.path.hasSuffix(".safetensors") }.map { .init(path: $0.path, sha256: $0.digest.sha256) })
  }
}

/// What a job over several ranks took.
struct RankFinding: Finding {
  struct File: Encodable, Sendable {
    let path: String
    let sha256: String
  }

  let job: String
  let ranks: Int
  let coresPerRank: Int
  /// By number; the output head, where it is quantized, is one more.
  let blocks: [Int: RankClock.Times]
  /// From opening the checkpoint to the artifact on disk.
  let seconds: Double
  let assemblySeconds: Double
  /// Times that this rank waited for others.
  let exchanges: Int
  let files: [File]

  private enum CodingKeys: CodingKey { case job, ranks, coresPerRank, blocks, seconds, assemblySeconds, exchanges, files }

  var key: String { "ranks" }
  var goals: [Goal] { [] }

  var heading: String {
    "\(ranks) ranks of \(coresPerRank) cores: \(job)\n\(seconds.asSeconds) s, of which \(assemblySeconds.asSeconds) s put the artifact "
      + "together; \(exchanges) exchanges\n" + files.map { "SHA-256 \($0.sha256) \($0.path)" }.joined(separator: "\n")
  }

  var table: TextTable {
    var table = TextTable([
      "block", "s", "forward and sums s", "exchange s", "factor s", "rows s", "sent MB", "exchange of sums s", "their MB",
    ])
    func add(_ name: String, _ times: RankClock.Times) {
      table.add(
        [name] + [times.total, times.sums.computing, times.exchanging, times.factor.computing, times.rows.computing].map(\.asSeconds) + [
          (Double(times.sentBytes) / 1e6).rounded(decimals: 2), times.sums.exchanging.asSeconds,
          (Double(times.sums.sentBytes) / 1e6).rounded(decimals: 2),
        ])
    }
    for (block, times) in blocks.sorted(by: { $0.key < $1.key }) { add(String(block), times) }
    add("all", blocks.values.reduce(into: RankClock.Times()) { $0.add($1) })
    return table
  }
}
