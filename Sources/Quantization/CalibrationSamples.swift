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
  let division: SampleDivision

  /// - Parameters:
  ///   - holdsOut: Whether a tenth is held out; never of a single sequence.
  ///   - division: Among ranks.
  init(_ sequences: TokenSequences, holdsOut: Bool, division: SampleDivision) {
    self.holdsOut = holdsOut
    self.division = division
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

  func isUsed(_ sample: Int, for use: Use) -> Bool { self.use(of: sample) == use && !droppedSamples.contains(sample) }

  private func use(of sample: Int) -> Use { heldOut.contains(sample) ? .heldOut : .calibration }
}
