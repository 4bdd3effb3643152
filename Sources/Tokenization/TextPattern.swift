import Patterns

/// Where something matches in a text, by the rules of tokenizer.json.
struct TextPattern: Sendable {
  /// As tokenizer.json has it.
  let source: String
  private let pattern: CompiledPattern

  /// Compiles a regular expression in Oniguruma's syntax; `path` is where it stands in tokenizer.json.
  static func regularExpression(_ source: String, path: String) throws(TokenizerError) -> TextPattern {
    let translated: String
    do {
      translated = try OnigurumaSyntax.translated(source)
    } catch {
      throw .unsupported(path: path, feature: "\(error.construct) in a regular expression")
    }
    return try TextPattern(source, translated: translated, options: .unicodeClasses, path: path)
  }

  /// A pattern that matches just this text.
  static func literal(_ text: String, path: String) throws(TokenizerError) -> TextPattern {
    guard !text.isEmpty else { throw .invalid(path: path, reason: "an empty pattern") }
    return try TextPattern(text, translated: text, options: .literal, path: path)
  }

  private init(_ source: String, translated: String, options: CompiledPattern.Options, path: String) throws(TokenizerError) {
    self.source = source
    do {
      pattern = try CompiledPattern(translated, options: options, stepLimit: Self.stepLimit)
    } catch {
      throw .invalid(path: path, reason: "not a regular expression: \(error): \(source)")
    }
  }

  /// Enough for a run of some tens of millions of equal characters, and a fraction of a second of an exponential pattern.
  private static let stepLimit: UInt32 = 50_000_000

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
    let workspace: CompiledPattern.Workspace
    do {
      workspace = try CompiledPattern.Workspace(for: pattern)
    } catch {
      throw .matchFailed(pattern: source, reason: "\(error)")
    }
    for (index, piece) in pieces.enumerated() {
      var covered = piece.lowerBound
      var searchStart = piece.lowerBound
      var previousEnd: Int?
      while let match = try firstMatch(in: bytes, piece, from: searchStart, workspace) {
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
    in bytes: [UInt8], _ piece: Range<Int>, from start: Int, _ workspace: CompiledPattern.Workspace
  ) throws(TokenizerError) -> Range<Int>? {
    do {
      let match = try bytes.withUnsafeBufferPointer { bytes throws(PatternError) in
        try pattern.firstMatch(in: UnsafeBufferPointer(rebasing: bytes[piece]), from: start - piece.lowerBound, workspace)
      }
      return match.map { piece.lowerBound + $0.lowerBound..<piece.lowerBound + $0.upperBound }
    } catch {
      throw .matchFailed(pattern: source, reason: "\(error)")
    }
  }
}
