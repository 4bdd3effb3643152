import Foundation

/// One try at a layer. Rows are only ever added, so a layer's history survives restarts and retries.
public struct AttemptRecord: Codable, Sendable, Hashable {
  /// Why the try was made, or why it failed.
  public enum Cause: String, Codable, Sendable, CaseIterable {
    case nonFiniteInput = "non_finite_input"
    case starved
    case rankDeficient = "rank_deficient"
    case rounding
    case incurable
  }

  /// What was done next about a try that failed.
  public enum Remedy: String, Codable, Sendable, CaseIterable {
    case droppedSamples = "dropped_samples"
    case moreSamples = "more_samples"
    /// An expert's Hessian was filled up with the inputs of all tokens of its block.
    case allTokens = "all_tokens"
    case float64
    case damping
    /// The policy of `recovery.on_exhausted`.
    case fail, rtn, keep
  }

  /// Where a try's damping comes from.
  public enum Origin: String, Codable, Sendable, CaseIterable {
    case request
    /// It worked for this layer in an earlier job.
    case history
    /// The ladder's next step.
    case ladder
  }

  public enum Precision: String, Codable, Sendable, CaseIterable { case float32, float64 }
  public enum Outcome: String, Codable, Sendable, CaseIterable { case succeeded, failed }

  public var layer: String
  /// Which start of the job, from 1.
  public var jobAttempt: Int
  /// Within the layer and the start of the job, from 1.
  public var number: Int
  /// What was wrong with the Hessian; nil for a try that succeeded at the first damping.
  public var cause: Cause?
  /// What is wrong and where, in words; nil where `cause` says it all.
  public var detail: String?
  public var remedy: Remedy?
  /// Fraction of the Hessian's mean diagonal that was added to it.
  public var damping: Double
  public var dampingOrigin: Origin
  public var precision: Precision
  /// Calibration sequences and tokens in the Hessian.
  public var samples: Int
  public var tokens: Int
  /// LAPACK's `info`: 0, or the order of the leading minor that is not positive definite.
  public var info: Int
  /// Smallest diagonal entry of the factor.
  public var smallestPivot: Double?
  /// Estimated reciprocal condition number of the damped Hessian, 1-norm (LAPACK `pocon`).
  public var reciprocalCondition: Double?
  public var seconds: Double
  public var outcome: Outcome
  public var loss: Double?
  public var at: Date

  public init(
    layer: String, jobAttempt: Int, number: Int, cause: Cause? = nil, detail: String? = nil, remedy: Remedy? = nil, damping: Double,
    dampingOrigin: Origin = .request, precision: Precision, samples: Int,
    tokens: Int, info: Int, smallestPivot: Double? = nil, reciprocalCondition: Double? = nil, seconds: Double,
    outcome: Outcome, loss: Double? = nil, at: Date
  ) {
    self.layer = layer
    self.jobAttempt = jobAttempt
    self.number = number
    self.cause = cause
    self.detail = detail
    self.remedy = remedy
    self.damping = damping
    self.dampingOrigin = dampingOrigin
    self.precision = precision
    self.samples = samples
    self.tokens = tokens
    self.info = info
    self.smallestPivot = smallestPivot
    self.reciprocalCondition = reciprocalCondition
    self.seconds = seconds
    self.outcome = outcome
    self.loss = loss
    self.at = at
  }
}
