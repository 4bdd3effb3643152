import StrictJSON

/// Why a tokenizer.json can't be used, or a text not be encoded with it.
///
/// `path` is the JSON pointer (RFC 6901) of the offending place in tokenizer.json.
public enum TokenizerError: Error, Equatable, Sendable {
  case unreadable(file: String, reason: String)
  case notJSON(JSONSyntaxError)
  case missing(path: String)
  case wrongKind(path: String, expected: String, found: String)
  /// A feature this reader doesn't have; encoding without it would give other ids.
  case unsupported(path: String, feature: String)
  case invalid(path: String, reason: String)
  /// The pattern needs more backtracking than allowed, or memory, on this text.
  case matchFailed(pattern: String, reason: String)
  case textTooLong(bytes: Int, limit: Int)
}

extension TokenizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file) can't be read: \(reason)"
    case .notJSON(let error): "tokenizer.json is \(error)"
    case .missing(let path): "tokenizer.json has nothing at \(path), where a value is required"
    case .wrongKind(let path, let expected, let found): "tokenizer.json: \(path) must be \(expected), it is \(found)"
    case .unsupported(let path, let feature):
      "tokenizer.json: \(path) asks for \(feature), which is not supported; use a model whose tokenizer does without it"
    case .invalid(let path, let reason): "tokenizer.json: \(path): \(reason)"
    case .matchFailed(let pattern, let reason):
      "the tokenizer's pattern \(pattern) failed on this text (\(reason)); split the text, or simplify the pattern"
    case .textTooLong(let bytes, let limit):
      "a text of \(bytes) bytes, normalized, is beyond the \(limit) that can be encoded at once; split it"
    }
  }
}
