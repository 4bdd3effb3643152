import CPCRE2

/// Work that many matches may take together. It is counted in the items of patterns that are tried, which take 10 to 100 ns each,
/// and so the same for the same patterns and texts, however fast the machine is.
public final class MatchBudget {
  /// What it takes to begin a match at all.
  private static let itemsPerMatch = 3

  let context: OpaquePointer
  private let remaining: UnsafeMutablePointer<Int>

  /// - Throws: `PatternError.noMemory`.
  public init(items: Int) throws(PatternError) {
    guard let context = pcre2_match_context_create_8(nil) else { throw .noMemory }
    self.context = context
    remaining = .allocate(capacity: 1)
    remaining.initialize(to: items)
    pcre2_set_callout_8(context, { _, data in MatchBudget.count(data) }, remaining)
  }

  private static func count(_ data: UnsafeMutableRawPointer?) -> CInt {
    guard let remaining = data?.assumingMemoryBound(to: Int.self), remaining.pointee > 0 else { return PCRE2_ERROR_CALLOUT }
    remaining.pointee -= 1
    return 0
  }

  /// - Throws: `PatternError.exhausted`.
  func beginMatch() throws(PatternError) {
    guard remaining.pointee >= Self.itemsPerMatch else { throw .exhausted }
    remaining.pointee -= Self.itemsPerMatch
  }

  deinit {
    pcre2_match_context_free_8(context)
    remaining.deallocate()
  }
}
