/// What is done about a layer that can't be quantized as asked (NUMERICS section 7).
public struct RecoveryPolicy: Sendable, Hashable {
  /// What becomes of a layer that no remedy cures.
  public enum Exhausted: String, Sendable, Codable {
    case fail
    /// Round to nearest.
    case rtn
    /// Leave it in the source's precision.
    case keep
  }

  /// What becomes of an expert that too few tokens reach, when there are no more calibration sequences.
  public enum StarvedExpert: String, Sendable, Codable {
    /// Its Hessian is filled up with the inputs of all tokens of the block.
    case allTokens = "all_tokens"
    case rtn, keep
  }

  /// Calibration sequences that a starved layer goes on to, rising.
  public var escalation: [Int]
  public var onExhausted: Exhausted
  public var starvedExperts: StarvedExpert
  /// Part of the calibration sequences that may be dropped for NaN or infinite activations.
  public static let droppableSamples = 0.01

  public init(escalation: [Int] = [256, 512], onExhausted: Exhausted = .fail, starvedExperts: StarvedExpert = .allTokens) {
    self.escalation = escalation
    self.onExhausted = onExhausted
    self.starvedExperts = starvedExperts
  }

  /// Fewer tokens than this make a layer of so many columns starved.
  static func neededTokens(columns: Int) -> Int { 2 * columns }

  static func shortage(tokens: Int, columns: Int) -> String {
    "\(tokens) tokens for \(columns) columns, \(neededTokens(columns: columns)) are wanted"
  }

  /// Calibration sequences that a job comes to use, where its data has them, because its widest layer is starved with fewer.
  func samples(from initial: Int, length: Int, widest: Int) -> Int {
    var count = initial
    while count * length < Self.neededTokens(columns: widest), let next = escalation.first(where: { $0 > count }) { count = next }
    return count
  }

  var exhaustedRemedy: Attempt.Remedy {
    switch onExhausted {
    case .fail: .fail
    case .rtn: .rtn
    case .keep: .keep
    }
  }
}

/// The dampings that are tried, as fractions of the mean diagonal.
package struct DampingLadder: Sendable, Hashable {
  package let steps: [Double]
  /// Of the first try.
  package let precision: Attempt.Precision
  /// Of the first step.
  package let origin: Attempt.Origin

  private static let geometric = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]

  /// `first`, then the geometric steps above it.
  package init(startingAt first: Double, precision: Attempt.Precision = .float32, origin: Attempt.Origin = .request) {
    steps = [first] + Self.geometric.filter { $0 > first }
    self.precision = precision
    self.origin = origin
  }

  /// Starts where a layer was cured before.
  init(_ known: KnownCure) { self.init(startingAt: known.damping, precision: known.precision, origin: .history) }
}

/// Damping that worked for a layer in an earlier job.
public struct KnownCure: Sendable, Hashable, Codable {
  /// Fraction of the mean diagonal.
  public let damping: Double
  public let precision: Attempt.Precision

  public init(damping: Double, precision: Attempt.Precision) {
    self.damping = damping
    self.precision = precision
  }
}
