import Foundation

/// GPTQModel and our jobs by turns.
struct PeerBenchmark {
  let session: Session
  /// With everything on; two of our jobs leave things out.
  let job: JobSpecification
  let python: URL

  func measure() throws -> PeerFinding {
    var uncompensated = job
    uncompensated.errorCompensation = 0
    var plain = uncompensated
    (plain.searchesScales, plain.refinesScales) = (false, false)
    let ours = [("plain", plain), ("without compensation", uncompensated), ("all features", job)]
    var peers: [(run: PeerRun, memory: ChildProcess.PeakMemory)] = []
    var results = ours.map { _ in [(run: JobRun, memory: ChildProcess.PeakMemory)]() }
    let runs = session.runs ?? 3
    for run in 1...runs {
      Report.note("GPTQModel, run \(run) of \(runs)")
      peers.append(try PeerRun.run(job, python: python, scratch: session.scratch))
      for (index, (name, job)) in ours.enumerated() {
        Report.note("\(name), run \(run) of \(runs)")
        results[index].append(try job.runInChild(scratch: session.scratch))
      }
    }
    let jobs = try zip(ours, results).map { try JobMeasurement("gptqd, \($0.0)", $0.1, runs: $1, peak: session.peak) }
    var memory = ChildProcess.PeakMemory()
    for peer in peers { memory.include(peer.memory) }
    return PeerFinding(
      heading: "\(job.model.lastPathComponent), \(job.samples) × \(job.length) tokens, \(job.bits) bits",
      peer: PeerFinding.Peer(
        name: "GPTQModel \(peers[0].run.gptqmodel), torch \(peers[0].run.torch)", seconds: Spread(peers.map(\.run.seconds)),
        peakMemory: memory),
      jobs: jobs)
  }
}

/// Our jobs beside GPTQModel's.
struct PeerFinding: Finding {
  let heading: String
  let peer: Peer
  /// The algorithm alone, as GPTQModel has it; with searched and refined scales; with compensation too.
  let jobs: [JobMeasurement]

  struct Peer: Encodable, Sendable {
    let name: String
    /// Of `quantize()`.
    let seconds: Spread
    let peakMemory: ChildProcess.PeakMemory
  }

  let key = "peers"

  var goals: [Goal] {
    let ratios = jobs.map { peer.seconds.median / $0.seconds.median }
    return [
      Goal("without compensation, times as fast as GPTQModel", ratios[1], .atLeast, 4),
      Goal("all features, times as fast as GPTQModel", ratios[2], .atLeast, 2),
      Goal("without compensation, utilization", jobs[1].utilization, .atLeast, 0.7),
    ]
  }

  var table: TextTable {
    var table = TextTable(JobMeasurement.headings)
    table.add(
      [peer.name] + peer.seconds.cells + ["–", "–", "–", peer.peakMemory.resident.asGibibytes, peer.peakMemory.anonymous.asGibibytes])
    for job in jobs { table.add(job.cells) }
    return table
  }

  private enum CodingKeys: String, CodingKey {
    case peer = "gptqmodel"
    case jobs
  }
}
