import Ranks
import Transformer

/// Which rank computes which sequences.
///
/// Granule g, as many consecutive sequences as sums are taken over at once, is rank g mod `ranks`'s. A rank keeps its own granules one
/// after the other and numbers their sequences from 0, "locally".
struct SampleDivision: Sendable {
  /// Sequences of a granule.
  let granule: Int
  let rank: Int
  let ranks: Int

  init(_ slices: TokenSlices, length: Int, rank: Int = 0, of ranks: Int = 1) {
    granule = slices.batch / length
    (self.rank, self.ranks) = (rank, ranks)
  }

  /// All sequences are one rank's.
  init(granule: Int) { (self.granule, rank, ranks) = (granule, 0, 1) }

  func granules(of samples: Int) -> Int { (samples + granule - 1) / granule }

  func isLocal(_ sample: Int) -> Bool { sample / granule % ranks == rank }

  /// - Precondition: The sequence is one of this rank's, or follows one of them in its granule.
  func local(_ sample: Int) -> Int { sample / granule / ranks * granule + sample % granule }

  /// The number among all sequences of this rank's `local`-th.
  func global(_ local: Int) -> Int { (local / granule * ranks + rank) * granule + local % granule }

  /// How many of the first `samples` sequences are a rank's.
  func localCount(of samples: Int, rank: Int) -> Int {
    let (rounds, rest) = samples.quotientAndRemainder(dividingBy: granule * ranks)
    return rounds * granule + min(granule, max(0, rest - rank * granule))
  }

  func localCount(of samples: Int) -> Int { localCount(of: samples, rank: rank) }
}
