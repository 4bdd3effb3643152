import Transformer

/// Sequences of one use that all ranks take through a stage before their inputs are added up step by step.
struct CalibrationStretch {
  /// Rows of this rank's activation streams, to be computed one range after the other.
  ///
  /// A range begins with a granule or stays within one, so that the parts that cores compute are the same with any number of ranks.
  let passes: [Range<Int>]
  /// Of all ranks.
  let tokens: Int
  let steps: [CalibrationStep]
}

/// A granule of each rank: its inputs are added to sums in the order of granules.
struct CalibrationStep {
  let use: CalibrationSamples.Use
  /// One after the other; the first is rank 0's.
  let granules: Range<Int>
  /// Only these sequences.
  let samples: Range<Int>
  /// Of all ranks, as far as sequences weren't dropped when the step was planned.
  let tokens: Int
}

extension CalibrationSamples {
  /// - Parameters:
  ///   - samples: Only these sequences.
  ///   - most: Tokens that a rank takes through a stage at once, if a granule has no more.
  func stretches(_ samples: Range<Int>, for use: Use, most: Int) -> [CalibrationStretch] {
    let steps = steps(samples, for: use)
    let stepsAtOnce = max(1, most / (division.granule * length))
    return stride(from: 0, to: steps.count, by: stepsAtOnce).map { first in
      let steps = Array(steps[first..<min(steps.count, first + stepsAtOnce)])
      return CalibrationStretch(passes: passes(steps), tokens: steps.reduce(0) { $0 + $1.tokens }, steps: steps)
    }
  }

  private func steps(_ samples: Range<Int>, for use: Use) -> [CalibrationStep] {
    stride(from: 0, to: division.granules(of: samples.upperBound), by: division.ranks).compactMap { first in
      let granules = first..<min(division.granules(of: samples.upperBound), first + division.ranks)
      let tokens = granules.reduce(0) { $0 + self.tokens(ofGranule: $1, for: use, in: samples) }
      return tokens == 0 ? nil : CalibrationStep(use: use, granules: granules, samples: samples, tokens: tokens)
    }
  }

  private func passes(_ steps: [CalibrationStep]) -> [Range<Int>] {
    let granuleRows = division.granule * length
    var passes: [Range<Int>] = []
    for rows in steps.flatMap(localRows) {
      if let last = passes.last, last.upperBound == rows.lowerBound, last.lowerBound % granuleRows == 0, rows.lowerBound % granuleRows == 0
      {
        passes[passes.count - 1] = last.lowerBound..<rows.upperBound
      } else {
        passes.append(rows)
      }
    }
    return passes
  }

  /// Consecutive sequences of a granule that are of one use and came in one lot, dropped ones left out.
  private func parts(ofGranule granule: Int, for use: Use, in samples: Range<Int>) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    let all = granule * division.granule..<min(count, (granule + 1) * division.granule)
    for sample in all.clamped(to: samples) where isUsed(sample, for: use) {
      if let last = parts.last, last.upperBound == sample, !lots.contains(sample) {
        parts[parts.count - 1] = last.lowerBound..<sample + 1
      } else {
        parts.append(sample..<sample + 1)
      }
    }
    return parts
  }

  private func tokens(ofGranule granule: Int, for use: Use, in samples: Range<Int>) -> Int {
    parts(ofGranule: granule, for: use, in: samples).reduce(0) { $0 + $1.count } * length
  }

  private func granule(of rank: Int, in step: CalibrationStep) -> Int? {
    step.granules.count > rank ? step.granules.lowerBound + rank : nil
  }

  /// Rows of this rank's streams that a step adds, dropped sequences left out.
  func localRows(of step: CalibrationStep) -> [Range<Int>] {
    guard let granule = granule(of: division.rank, in: step) else { return [] }
    return parts(ofGranule: granule, for: step.use, in: step.samples).map {
      let first = division.local($0.lowerBound)
      return first * length..<(first + $0.count) * length
    }
  }

  /// Tokens that each rank adds in a step, dropped sequences left out.
  func tokensByRank(of step: CalibrationStep) -> [Int] {
    (0..<division.ranks).map { rank in
      granule(of: rank, in: step).map { tokens(ofGranule: $0, for: step.use, in: step.samples) } ?? 0
    }
  }

  /// The tokens of rows of this rank's streams.
  func tokens(ofRows rows: Range<Int>) -> [Int32] {
    (rows.lowerBound / length..<rows.upperBound / length).flatMap { local in
      let sample = division.global(local)
      return sequences[sample..<sample + 1]
    }
  }

  /// Rows of this rank's streams for all of its sequences.
  var localRowCount: Int { division.localCount(of: count) * length }
}
