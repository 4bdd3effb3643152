/// SentencePiece's way with spaces: each becomes a visible character, with which a piece begins.
struct Metaspace: Sendable {
  enum PrependScheme: String {
    case always, first, never
  }

  private let replacement: Unicode.Scalar
  private let prepends: PrependScheme
  private let splits: Bool

  init(_ node: JSONNode) throws(TokenizerError) {
    // str_rep is what early versions wrote besides replacement; it is always the same.
    try node.allowOnly(["type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
    let replacement = try node.required("replacement")
    let scalars = Array(try replacement.string().unicodeScalars)
    guard scalars.count == 1 else { throw .invalid(path: replacement.path, reason: "must be one character") }
    self.replacement = scalars[0]
    splits = try node.bool("split", default: true)
    var scheme = PrependScheme.always
    if let member = node.optional("prepend_scheme") {
      let name = try member.string()
      guard let known = PrependScheme(rawValue: name) else {
        throw .unsupported(path: member.path, feature: "the prepend scheme \"\(name)\"")
      }
      scheme = known
    }
    // What the scheme was before it had a name; the library too refuses a file in which they contradict.
    if try !node.bool("add_prefix_space", default: true), scheme != .never {
      throw .invalid(path: node.path(of: "add_prefix_space"), reason: "contradicts the prepend_scheme \"\(scheme.rawValue)\"")
    }
    prepends = scheme
  }

  func apply(to text: inout PreTokenizedText) throws(TokenizerError) {
    let mark = Array(String(replacement).utf8)
    let isAtStart = text.isAtStart
    try text.rewrite { piece, index, output in
      let start = output.count
      for byte in piece {
        if byte == UInt8(ascii: " ") { output.append(contentsOf: mark) } else { output.append(byte) }
      }
      let prepended =
        switch prepends {
        case .always: true
        case .first: isAtStart && index == 0
        case .never: false
        }
      if prepended, !output[start...].starts(with: mark) { output.insert(contentsOf: mark, at: start) }
    }
    if splits { text.split(.mergedWithNext) { $0 == replacement.value } }
  }
}
