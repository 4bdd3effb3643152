import Transformer

/// The calibration sequences in use: which are held out, and which were dropped.
struct CalibrationSamples {
  enum Use: CaseIterable {
    /// Adds to Hessians.
    case calibration
    /// Enters no sum, but shows what is better.
    case heldOut
  }

  private(set) var sequences: TokenSequences
  /// The last tenth of each lot.
  private var heldOut: Set<Int> = []
  private(set) var dropped: [NonFiniteActivation] = []
  private var droppedSamples: Set<Int> = []
  private let holdsOut: Bool
  /// How many sequences were in use after each lot.
  private(set) var lots: [Int] = []

  /// - Parameter holdsOut: Whether a tenth is held out; never of a single sequence.
  init(_ sequences: TokenSequences, holdsOut: Bool) {
    self.holdsOut = holdsOut
    self.sequences = TokenSequences(length: sequences.length, tokens: [])
    extend(to: sequences)
  }

  var count: Int { sequences.count }
  var length: Int { sequences.length }

  /// - Parameter sequences: Begin with those that are in use.
  /// - Returns: The new ones.
  @discardableResult mutating func extend(to sequences: TokenSequences) -> Range<Int> {
    let added = self.sequences.count..<max(self.sequences.count, sequences.count)
    if holdsOut, added.count > 1 { heldOut.formUnion(added.suffix(max(1, added.count / 10))) }
    self.sequences = sequences
    lots.append(sequences.count)
    return added
  }

  mutating func drop(_ activation: NonFiniteActivation) {
    guard droppedSamples.insert(activation.sample).inserted else { return }
    dropped.append(activation)
  }

  /// More were dropped than may be.
  var lostTooMany: Bool { Double(dropped.count) > RecoveryPolicy.droppableSamples * Double(count) }

  /// Sequences that enter Hessians.
  var calibrating: Int { (0..<count).count { use(of: $0) != .heldOut && !droppedSamples.contains($0) } }

  func count(of use: Use, in range: Range<Int>) -> Int { range.count { self.use(of: $0) == use } }

  var holdsOutSome: Bool { !heldOut.isEmpty }

  private func use(of sample: Int) -> Use { heldOut.contains(sample) ? .heldOut : .calibration }

  /// Token ranges of consecutive sequences of one use, dropped ones left out.
  ///
  /// - Parameters:
  ///   - samples: Only these sequences.
  ///   - most: Tokens of a range at most, if a sequence isn't longer.
  func ranges(_ samples: Range<Int>, for use: Use, most: Int) -> [Range<Int>] {
    let most = max(1, most / length)
    var runs: [Range<Int>] = []
    for sample in samples where !droppedSamples.contains(sample) && self.use(of: sample) == use {
      if let last = runs.last, last.upperBound == sample, last.count < most {
        runs[runs.count - 1] = last.lowerBound..<sample + 1
      } else {
        runs.append(sample..<sample + 1)
      }
    }
    return runs.map { $0.lowerBound * length..<$0.upperBound * length }
  }

  /// The sequences of a token range that weren't dropped, as token ranges.
  func remaining(in rows: Range<Int>) -> [Range<Int>] {
    let samples = rows.lowerBound / length..<rows.upperBound / length
    guard samples.contains(where: droppedSamples.contains) else { return [rows] }
    return Use.allCases.flatMap { ranges(samples, for: $0, most: rows.count) }
  }
}
