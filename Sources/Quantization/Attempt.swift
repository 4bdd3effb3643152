/// One try at making a layer's Hessian fit for quantization.
public struct Attempt: Sendable, Hashable, Codable {
  /// What is wrong with a layer's inputs or their Hessian (NUMERICS section 7).
  public enum Cause: String, Sendable, Codable, CaseIterable {
    /// NaN or infinity among the inputs.
    case nonFiniteInput = "non_finite_input"
    /// Fewer than two tokens a column.
    case starved
    /// Fewer independent directions than columns.
    case rankDeficient = "rank_deficient"
    /// Positive definite in float64, not in float32.
    case rounding
    /// The last damping of the ladder failed too.
    case incurable
  }

  /// What was done next.
  public enum Remedy: String, Sendable, Codable {
    case droppedSamples = "dropped_samples"
    case moreSamples = "more_samples"
    /// An expert's Hessian was filled up with the inputs of all tokens of its block.
    case allTokens = "all_tokens"
    case float64
    case damping
    /// What the policy says about layers that nothing cures.
    case fail, rtn, keep
  }

  /// Where the damping comes from.
  public enum Origin: String, Sendable, Codable {
    case request
    /// It worked for this layer before.
    case history
    case ladder
  }

  public enum Precision: String, Sendable, Codable { case float32, float64 }

  /// From 1.
  public let number: Int
  /// Why the try failed; nil where it succeeded.
  public internal(set) var cause: Cause?
  /// What is wrong and where, in words; nil where `cause` says it all.
  public let detail: String?
  /// What was done about a failure; nil where the try succeeded.
  public internal(set) var remedy: Remedy?
  /// Fraction of the mean diagonal.
  public let damping: Double
  public let origin: Origin
  public let precision: Precision
  /// Calibration sequences and tokens in the Hessian.
  public let samples: Int
  public let tokens: Int
  /// LAPACK's info: 0, or the order of the leading minor (in reversed column order) that is not positive definite.
  public let info: Int
  /// Smallest diagonal entry of the factor, as far as it was made.
  public let smallestPivot: Double?
  /// Estimate of 1/(‖H‖₁·‖H⁻¹‖₁) of the damped Hessian.
  public let reciprocalCondition: Double?
  public let seconds: Double

  public var succeeded: Bool { cause == nil }
}

/// The tries at one Hessian, in order.
package struct AttemptLog: Sendable {
  package private(set) var attempts: [Attempt] = []
  /// Calibration sequences and tokens in the Hessian as it is now.
  package var samples: Int
  package var tokens: Int

  package init(samples: Int = 0, tokens: Int = 0) {
    self.samples = samples
    self.tokens = tokens
  }

  /// A log that begins with tries from before.
  init(_ attempts: [Attempt]) {
    self.init()
    self.attempts = attempts
  }

  /// Something about the data that was found and mended before any factorisation.
  mutating func add(_ cause: Attempt.Cause, _ detail: String, remedy: Attempt.Remedy?, damping: Double, seconds: Double = 0) {
    add(
      cause, detail: detail, remedy: remedy, damping: damping, origin: .request, precision: .float32, info: 0, smallestPivot: nil,
      reciprocalCondition: nil, seconds: seconds)
  }

  mutating func add(
    _ cause: Attempt.Cause?, detail: String? = nil, remedy: Attempt.Remedy?, damping: Double, origin: Attempt.Origin,
    precision: Attempt.Precision, info: Int, smallestPivot: Double?, reciprocalCondition: Double?, seconds: Double
  ) {
    attempts.append(
      Attempt(
        number: attempts.count + 1, cause: cause, detail: detail, remedy: remedy, damping: damping, origin: origin, precision: precision,
        samples: samples, tokens: tokens, info: info, smallestPivot: smallestPivot, reciprocalCondition: reciprocalCondition,
        seconds: seconds))
  }

  /// The float64 try at the same damping succeeded.
  mutating func blameRounding() {
    for index in attempts.indices where attempts[index].cause == .rankDeficient && attempts[index].precision == .float32 {
      attempts[index].cause = .rounding
    }
  }

  mutating func giveUp(_ remedy: Attempt.Remedy) {
    guard !attempts.isEmpty else { return }
    attempts[attempts.count - 1].cause = .incurable
    attempts[attempts.count - 1].remedy = remedy
  }
}
