import Ranks
import Transformer

/// Sequences that ranks measure together: which are this one's, and what those of all add up to.
struct SharedEvaluation {
  struct Pass {
    /// This rank's, whole granules.
    let rows: Range<Int>
    /// Of all ranks.
    let tokens: Int
  }

  private let sequences: TokenSequences
  private let division: SampleDivision
  private let ranks: any RankGroup
  let passes: [Pass]

  init(_ sequences: TokenSequences, _ slices: TokenSlices, _ ranks: any RankGroup) {
    let division = SampleDivision(slices, length: sequences.length, rank: ranks.rank, of: ranks.count)
    (self.sequences, self.division, self.ranks) = (sequences, division, ranks)
    let (length, count, own) = (sequences.length, sequences.count, division.localCount(of: sequences.count))
    let samples = division.granule * max(1, slices.pass / slices.batch)
    passes = stride(from: 0, to: division.localCount(of: count, rank: 0), by: samples).map { first in
      let all = min(count, first * ranks.count)..<min(count, (first + samples) * ranks.count)
      return Pass(rows: min(own, first) * length..<min(own, first + samples) * length, tokens: all.count * length)
    }
  }

  /// Sequences of a granule.
  var granule: Int { division.granule }

  func granules(of pass: Pass) -> Int { division.granules(of: pass.rows.count / sequences.length) }

  var rowCount: Int { division.localCount(of: sequences.count) * sequences.length }

  /// The tokens of this rank's rows.
  func tokens(of pass: Pass) -> [Int32] {
    (pass.rows.lowerBound / sequences.length..<pass.rows.upperBound / sequences.length).flatMap { local in
      let sample = division.global(local)
      return sequences[sample..<sample + 1]
    }
  }

  /// The sum over all sequences.
  ///
  /// - Parameter own: Of this rank's granules.
  /// - Throws: `RankError`.
  func sum(_ own: [Double]) throws -> Double {
    // As bits, since they may be infinite.
    let sums = try ranks.gather(own.map(\.bitPattern))
    return (0..<division.granules(of: sequences.count)).reduce(0) {
      $0 + Double(bitPattern: sums[$1 % ranks.count][$1 / ranks.count])
    }
  }
}
