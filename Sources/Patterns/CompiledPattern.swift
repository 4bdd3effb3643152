import CPCRE2

/// A compiled regular expression. The only place that holds PCRE2's pointers.
///
/// Categories of characters are those of PCRE2's Unicode version (14 for 10.42).
public final class CompiledPattern: @unchecked Sendable {  // reason: PCRE2 only reads code and context when it matches
  /// How a pattern is read.
  public struct Options: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The text of the pattern itself, no expression.
    public static let literal = Options(rawValue: PCRE2_LITERAL)
    /// Matches begin where the search does.
    public static let anchored = Options(rawValue: PCRE2_ANCHORED)
    /// `\d`, `\w` and the like know all of Unicode.
    public static let unicodeClasses = Options(rawValue: PCRE2_UCP)
    /// Matches can have a `MatchBudget`; they are slower.
    public static let counted = Options(rawValue: PCRE2_AUTO_CALLOUT)
  }

  public let source: String
  private let code: OpaquePointer
  private let context: OpaquePointer
  private let stepLimit: UInt32

  private static let heapLimitKibibytes: UInt32 = 512 * 1024

  /// Compiles a pattern in PCRE2's syntax, over Unicode scalars; `\C` is refused.
  ///
  /// - Parameter stepLimit: Backtracking steps that a match may take.
  /// - Throws: `PatternError`.
  public init(_ source: String, options: Options = [], stepLimit: UInt32) throws(PatternError) {
    var errorCode: CInt = 0
    var errorOffset = 0
    guard let compileContext = pcre2_compile_context_create_8(nil), let context = pcre2_match_context_create_8(nil) else {
      throw .noMemory
    }
    defer { pcre2_compile_context_free_8(compileContext) }
    pcre2_set_newline_8(compileContext, UInt32(PCRE2_NEWLINE_LF))
    let pattern = Array(source.utf8)
    let flags = options.rawValue | PCRE2_UTF | (options.contains(.literal) ? 0 : PCRE2_NEVER_BACKSLASH_C)
    guard let code = pcre2_compile_8(pattern, pattern.count, flags, &errorCode, &errorOffset, compileContext) else {
      pcre2_match_context_free_8(context)
      throw .invalid(Self.message(errorCode), offset: errorOffset)
    }
    // Where the processor has no JIT the interpreter is used, with the same results.
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
    pcre2_set_match_limit_8(context, stepLimit)
    pcre2_set_heap_limit_8(context, Self.heapLimitKibibytes)
    self.source = source
    self.code = code
    self.context = context
    self.stepLimit = stepLimit
  }

  deinit {
    pcre2_code_free_8(code)
    pcre2_match_context_free_8(context)
  }

  /// What one search at a time needs.
  public final class Workspace {
    fileprivate let data: OpaquePointer

    /// - Throws: `PatternError.noMemory`.
    public init(for pattern: CompiledPattern) throws(PatternError) {
      guard let data = pcre2_match_data_create_from_pattern_8(pattern.code, nil) else { throw .noMemory }
      self.data = data
    }

    deinit { pcre2_match_data_free_8(data) }
  }

  /// - Parameters:
  ///   - text: Valid UTF-8.
  ///   - start: Offset of a scalar in it, where the search begins.
  ///   - workspace: Made for this pattern.
  /// - Returns: Byte offsets.
  /// - Throws: `PatternError.failed` where the step limit is reached.
  public func firstMatch(
    in text: UnsafeBufferPointer<UInt8>, from start: Int, _ workspace: Workspace
  ) throws(PatternError) -> Range<Int>? {
    try firstMatch(in: text, from: start, workspace, context)
  }

  private func firstMatch(
    in text: UnsafeBufferPointer<UInt8>, from start: Int, _ workspace: Workspace, _ context: OpaquePointer
  ) throws(PatternError) -> Range<Int>? {
    var status = match(text, start, 0, workspace, context)
    if status == PCRE2_ERROR_JIT_STACKLIMIT { status = match(text, start, PCRE2_NO_JIT, workspace, context) }
    guard status != PCRE2_ERROR_CALLOUT else { throw .exhausted }
    guard status != PCRE2_ERROR_NOMATCH else { return nil }
    guard status >= 0, let offsets = pcre2_get_ovector_pointer_8(workspace.data) else { throw .failed(Self.message(status)) }
    return offsets[0]..<offsets[1]
  }

  /// Whether there is a match in a text.
  ///
  /// - Throws: As `firstMatch(in:from:_:)`.
  public func matches(_ text: String) throws(PatternError) -> Bool {
    let (bytes, workspace) = (Array(text.utf8), try Workspace(for: self))
    return try bytes.withUnsafeBufferPointer { bytes throws(PatternError) in try firstMatch(in: bytes, from: 0, workspace) != nil }
  }

  /// The same for a pattern that is `.counted`, as part of work that has a limit.
  ///
  /// - Throws: Also `PatternError.exhausted`.
  public func matches(_ text: String, within budget: MatchBudget) throws(PatternError) -> Bool {
    try budget.beginMatch()
    pcre2_set_match_limit_8(budget.context, stepLimit)
    pcre2_set_heap_limit_8(budget.context, Self.heapLimitKibibytes)
    let (bytes, workspace) = (Array(text.utf8), try Workspace(for: self))
    return try bytes.withUnsafeBufferPointer { bytes throws(PatternError) in
      try firstMatch(in: bytes, from: 0, workspace, budget.context) != nil
    }
  }

  private func match(
    _ subject: UnsafeBufferPointer<UInt8>, _ start: Int, _ options: UInt32, _ workspace: Workspace, _ context: OpaquePointer
  ) -> CInt {
    pcre2_match_8(code, subject.baseAddress, subject.count, start, options | PCRE2_NO_UTF_CHECK, workspace.data, context)
  }

  private static func message(_ code: CInt) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
    return length < 0 ? "PCRE2 error \(code)" : String(decoding: buffer.prefix(Int(length)), as: UTF8.self)
  }
}
