/// What is wrong with a pattern, or with its search.
public enum PatternError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No regular expression, by PCRE2's words and the byte where it noticed.
  case invalid(String, offset: Int)
  /// A search ended without a result, such as at its limit of steps.
  case failed(String)
  /// A `MatchBudget` is used up.
  case exhausted
  case noMemory

  public var description: String {
    switch self {
    case .invalid(let reason, let offset): "\(reason) at byte \(offset)"
    case .failed(let reason): reason
    case .exhausted: "the patterns together take too many steps"
    case .noMemory: "no memory for the pattern"
    }
  }
}
