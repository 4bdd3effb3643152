import CPCRE2

/// A compiled pattern: where in a text it matches. The only place that holds PCRE2's pointers.
///
/// Categories of characters are those of PCRE2's Unicode version (14 for 10.42).
final class TextPattern: @unchecked Sendable {  // reason: PCRE2 only reads code and context when it matches
  let source: String
  private let code: OpaquePointer
  private let context: OpaquePointer

  /// Compiles a regular expression in Oniguruma's syntax; `path` is where it stands in tokenizer.json.
  static func regularExpression(_ source: String, path: String) throws(TokenizerError) -> TextPattern {
    let translated: String
    do {
      translated = try OnigurumaSyntax.translated(source)
    } catch {
      throw .unsupported(path: path, feature: "\(error.construct) in a regular expression")
    }
    return try TextPattern(source, translated: translated, options: PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, path: path)
  }

  /// A pattern that matches just this text.
  static func literal(_ text: String, path: String) throws(TokenizerError) -> TextPattern {
    guard !text.isEmpty else { throw .invalid(path: path, reason: "an empty pattern") }
    return try TextPattern(text, translated: text, options: PCRE2_LITERAL, path: path)
  }

  private init(_ source: String, translated: String, options: UInt32, path: String) throws(TokenizerError) {
    var errorCode: CInt = 0
    var errorOffset = 0
    guard let compileContext = pcre2_compile_context_create_8(nil), let context = pcre2_match_context_create_8(nil) else {
      throw .invalid(path: path, reason: "no memory for the pattern")
    }
    defer { pcre2_compile_context_free_8(compileContext) }
    pcre2_set_newline_8(compileContext, UInt32(PCRE2_NEWLINE_LF))
    let pattern = Array(translated.utf8)
    guard
      let code = pcre2_compile_8(
        pattern, pattern.count, options | PCRE2_UTF, &errorCode, &errorOffset, compileContext)
    else {
      pcre2_match_context_free_8(context)
      throw .invalid(path: path, reason: "not a regular expression: \(Self.message(errorCode)): \(source)")
    }
    // Where the processor has no JIT the interpreter is used, with the same results.
    pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
    pcre2_set_match_limit_8(context, Self.matchLimit)
    pcre2_set_heap_limit_8(context, Self.heapLimitKibibytes)
    self.source = source
    self.code = code
    self.context = context
  }

  /// Backtracking steps a match may take: enough for a run of some tens of millions of equal characters,
  /// and a fraction of a second of an exponential pattern.
  private static let matchLimit: UInt32 = 50_000_000
  private static let heapLimitKibibytes: UInt32 = 512 * 1024

  deinit {
    pcre2_code_free_8(code)
    pcre2_match_context_free_8(context)
  }

  /// Calls `body` with each match in `piece`, which is matched as if it were the whole text.
  ///
  /// - Parameters:
  ///   - bytes: Valid UTF-8.
  ///   - pieces: Ranges of `bytes` at scalar boundaries.
  ///   - body: Gets the piece and its parts in order, which cover it; `isMatch` of those between matches is false.
  ///     A match is empty where the pattern matches nothing, but not right after another match.
  func forEachPart(
    of pieces: [Range<Int>], in bytes: [UInt8], _ body: (_ piece: Int, _ part: Range<Int>, _ isMatch: Bool) -> Void
  ) throws(TokenizerError) {
    guard let matchData = pcre2_match_data_create_from_pattern_8(code, nil) else {
      throw .matchFailed(pattern: source, reason: "no memory")
    }
    defer { pcre2_match_data_free_8(matchData) }
    for (index, piece) in pieces.enumerated() {
      var covered = piece.lowerBound
      var searchStart = piece.lowerBound
      var previousEnd: Int?
      while let match = try firstMatch(in: bytes, piece, from: searchStart, matchData) {
        if match.isEmpty, match.lowerBound == previousEnd {
          guard searchStart < piece.upperBound else { break }
          searchStart = bytes.scalar(at: searchStart).end
          continue
        }
        if covered < match.lowerBound { body(index, covered..<match.lowerBound, false) }
        body(index, match, true)
        covered = match.upperBound
        searchStart = match.upperBound
        previousEnd = match.upperBound
      }
      if covered < piece.upperBound { body(index, covered..<piece.upperBound, false) }
    }
  }

  private func firstMatch(
    in bytes: [UInt8], _ piece: Range<Int>, from start: Int, _ matchData: OpaquePointer
  ) throws(TokenizerError) -> Range<Int>? {
    var status = bytes.withUnsafeBufferPointer { match(UnsafeBufferPointer(rebasing: $0[piece]), start - piece.lowerBound, 0, matchData) }
    if status == PCRE2_ERROR_JIT_STACKLIMIT {
      status = bytes.withUnsafeBufferPointer {
        match(UnsafeBufferPointer(rebasing: $0[piece]), start - piece.lowerBound, PCRE2_NO_JIT, matchData)
      }
    }
    guard status != PCRE2_ERROR_NOMATCH else { return nil }
    guard status >= 0, let offsets = pcre2_get_ovector_pointer_8(matchData) else {
      throw .matchFailed(pattern: source, reason: Self.message(status))
    }
    return piece.lowerBound + offsets[0]..<piece.lowerBound + offsets[1]
  }

  private func match(
    _ subject: UnsafeBufferPointer<UInt8>, _ start: Int, _ options: UInt32, _ matchData: OpaquePointer
  ) -> CInt {
    pcre2_match_8(code, subject.baseAddress, subject.count, start, options | PCRE2_NO_UTF_CHECK, matchData, context)
  }

  private static func message(_ code: CInt) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
    return length < 0 ? "PCRE2 error \(code)" : String(decoding: buffer.prefix(Int(length)), as: UTF8.self)
  }
}
