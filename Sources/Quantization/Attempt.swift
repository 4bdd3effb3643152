/// One try at factoring a layer's damped Hessian.
public struct Attempt: Sendable, Hashable {
  public enum Cause: String, Sendable {
    /// Fewer independent directions than columns.
    case rankDeficient = "rank_deficient"
    /// Positive definite in float64, not in float32.
    case rounding
    /// The last damping of the ladder failed too.
    case incurable
  }

  public enum Precision: String, Sendable { case float32, float64 }

  /// From 1.
  public let number: Int
  /// Why the try failed; nil where it succeeded.
  public internal(set) var cause: Cause?
  /// Fraction of the mean diagonal.
  public let damping: Double
  public let precision: Precision
  /// LAPACK's info: 0, or the order of the leading minor (in reversed column order) that is not positive definite.
  public let info: Int
  /// Smallest diagonal entry of the factor, as far as it was made.
  public let smallestPivot: Double?
  /// Estimate of 1/(‖H‖₁·‖H⁻¹‖₁) of the damped Hessian.
  public let reciprocalCondition: Double?
  public let seconds: Double

  public var succeeded: Bool { cause == nil }
}
