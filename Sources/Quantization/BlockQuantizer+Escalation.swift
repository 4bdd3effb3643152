import LinearAlgebra
import Transformer

/// An expert was starved, and the stage went on to more sequences.
struct ExpertEscalation {
  /// Index of its linears among the stage's.
  let group: Int
  /// Sequences and tokens that it had before.
  let samples: Int
  let tokens: Int
  let detail: String
  let seconds: Double
}

/// More calibration sequences for experts that few tokens reach.
///
/// They are asked for before any expert of a stage is calibrated: memory may have room for a few at a time only, and all get the
/// same sequences, however many that are.
extension BlockQuantizer {
  /// Takes all sequences to the stage, and more as long as an expert is starved and the policy allows.
  func settleSamples(for groups: [[LinearLayer]], at stage: BlockStage) throws -> [ExpertEscalation] {
    var counts = [Int](repeating: 0, count: groups.count)
    try count(0..<run.samples.count, at: stage, for: groups, in: &counts)
    var escalations: [ExpertEscalation] = []
    while true {
      let starved = groups.indices.filter { counts[$0] < RecoveryPolicy.neededTokens(columns: groups[$0][0].inputs) }
      guard !starved.isEmpty else { return escalations }
      let (start, before, samples) = (ContinuousClock.now, counts, run.samples.calibrating)
      let added = try run.extend(block: block, original: original, before: stage)
      guard !added.isEmpty else { return escalations }
      try count(added, at: stage, for: groups, in: &counts)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      escalations += starved.map { index in
        let shortage = RecoveryPolicy.shortage(tokens: before[index], columns: groups[index][0].inputs)
        return ExpertEscalation(
          group: index, samples: samples, tokens: before[index], detail: shortage + "; went on to \(run.samples.count) sequences",
          seconds: seconds)
      }
    }
  }

  /// Takes sequences to the stage and counts the tokens that each expert gets of them.
  private func count(
    _ samples: Range<Int>, at stage: BlockStage, for groups: [[LinearLayer]], in counts: inout [Int]
  ) throws {
    for stretch in run.stretches(samples) {
      try observer.checkCancellation()
      try advance(stretch, to: stage)
      for step in stretch.steps where step.use == .calibration {
        for rows in run.samples.localRows(of: step) {
          run.quantized.withInput(of: .mlpInput, block, rows) { input in
            guard let routing = block.routing(of: input) else { return }
            for (index, group) in groups.enumerated() {
              counts[index] += routing.tokens(of: group[0].place.expert, among: input.rows).count
            }
          }
        }
      }
    }
  }
}
