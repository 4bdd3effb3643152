/// `pre_tokenizer` of tokenizer.json: cuts normalized text into pieces, and may rewrite them.
enum PreTokenizer: Sendable {
  case sequence([PreTokenizer])
  case split(TextPattern, SplitBehavior, inverted: Bool)
  case byteLevel(addsPrefixSpace: Bool, pattern: TextPattern?)
  case digits(individual: Bool)
  case metaspace(Metaspace)

  /// What ByteLevel splits by if it isn't told otherwise; GPT-2's pattern.
  private static let byteLevelPattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  init(_ node: JSONNode) throws(TokenizerError) {
    let type = try node.required("type")
    switch try type.string() {
    case "Sequence":
      try node.allowOnly(["type", "pretokenizers"])
      var members: [PreTokenizer] = []
      for element in try node.required("pretokenizers").elements() { members.append(try PreTokenizer(element)) }
      self = .sequence(members)
    case "Split":
      try node.allowOnly(["type", "pattern", "behavior", "invert"])
      self = .split(
        try TextPattern.read(try node.required("pattern")), try SplitBehavior(try node.required("behavior")),
        inverted: try node.bool("invert", default: false))
    case "ByteLevel":
      // trim_offsets concerns positions in the text, not ids.
      try node.allowOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      let usesPattern = try node.bool("use_regex", default: true)
      self = .byteLevel(
        addsPrefixSpace: try node.bool("add_prefix_space", default: true),
        pattern: usesPattern ? try .regularExpression(Self.byteLevelPattern, path: node.path) : nil)
    case "Digits":
      try node.allowOnly(["type", "individual_digits"])
      self = .digits(individual: try node.bool("individual_digits", default: false))
    case "Metaspace":
      self = .metaspace(try Metaspace(node))
    case let name:
      throw .unsupported(path: type.path, feature: "the pre-tokenizer \"\(name)\"")
    }
  }

  func apply(to text: inout PreTokenizedText) throws(TokenizerError) {
    switch self {
    case .sequence(let members):
      for member in members { try member.apply(to: &text) }
    case .split(let pattern, let behavior, let inverted):
      try text.split(by: pattern, behavior, inverted: inverted)
    case .byteLevel(let addsPrefixSpace, let pattern):
      if addsPrefixSpace {
        try text.rewrite { piece, _, output in
          if piece.first != UInt8(ascii: " ") { output.append(UInt8(ascii: " ")) }
          output.append(contentsOf: piece)
        }
      }
      if let pattern { try text.split(by: pattern, .isolated) }
      try text.rewrite { piece, _, output in ByteLevelAlphabet.append(piece, to: &output) }
    case .digits(let individual):
      text.split(individual ? .isolated : .contiguous, where: CharacterClasses.isNumeric)
    case .metaspace(let metaspace):
      try metaspace.apply(to: &text)
    }
  }
}

extension TextPattern {
  /// Reads `{"String": …}` or `{"Regex": …}`.
  static func read(_ node: JSONNode) throws(TokenizerError) -> TextPattern {
    try node.allowOnly(["String", "Regex"])
    guard try node.object().count == 1 else {
      throw .invalid(path: node.path, reason: "a pattern has either a String or a Regex")
    }
    if let literal = node.optional("String") { return try .literal(try literal.string(), path: literal.path) }
    let expression = try node.required("Regex")
    return try .regularExpression(try expression.string(), path: expression.path)
  }
}
