/// `post_processor` of tokenizer.json: the special tokens around an encoded text.
struct PostProcessor: Sendable {
  private(set) var prefix: [Int32] = []
  private(set) var suffix: [Int32] = []

  init(_ node: JSONNode) throws(TokenizerError) {
    let type = try node.required("type")
    switch try type.string() {
    case "ByteLevel":
      // It only moves offsets.
      try node.allowOnly(["type", "add_prefix_space", "trim_offsets", "use_regex"])
    case "Sequence":
      try node.allowOnly(["type", "processors"])
      for element in try node.required("processors").elements() {
        let processor = try PostProcessor(element)
        prefix = processor.prefix + prefix
        suffix += processor.suffix
      }
    case "TemplateProcessing":
      // `pair` is for two texts at once.
      try node.allowOnly(["type", "single", "pair", "special_tokens"])
      try readTemplate(try node.required("single"), specialTokens: try node.required("special_tokens"))
    case let name:
      throw .unsupported(path: type.path, feature: "the post-processor \"\(name)\"")
    }
  }

  private mutating func readTemplate(_ single: JSONNode, specialTokens: JSONNode) throws(TokenizerError) {
    var hasText = false
    for piece in try single.elements() {
      try piece.allowOnly(["SpecialToken", "Sequence"])
      if let sequence = piece.optional("Sequence") {
        let id = try sequence.required("id")
        guard try id.string() == "A", !hasText else {
          throw .unsupported(path: id.path, feature: "a template for one text with other than one place for it")
        }
        hasText = true
      } else {
        let name = try piece.required("SpecialToken").required("id").string()
        var ids: [Int32] = []
        for id in try specialTokens.required(name).required("ids").elements() { ids.append(try id.tokenID()) }
        if hasText { suffix += ids } else { prefix += ids }
      }
    }
    guard hasText else { throw .invalid(path: single.path, reason: "a template without a place for the text") }
  }
}
