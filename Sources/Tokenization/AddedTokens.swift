/// `added_tokens` of tokenizer.json: texts that become one token wherever they stand, before anything else is done.
struct AddedTokens: Sendable {
  enum Section {
    case token(Int32)
    case text(Range<Int>)
  }

  private struct Traits {
    var isSingleWord: Bool
    var stripsLeft: Bool
    var stripsRight: Bool
  }

  private var ids: [[UInt8]: Int32] = [:]
  private var traits: [Int32: Traits] = [:]
  private var verbatim = ByteTrie()
  private var normalized = ByteTrie()
  private(set) var highestID: Int32 = -1

  /// - Parameters:
  ///   - node: nil if the file has no such member.
  ///   - vocabulary: The model's; a token that is in it too must have the same id there.
  ///   - normalizer: Applied to those tokens that are looked for in normalized text.
  init(_ node: JSONNode?, _ vocabulary: Vocabulary, _ normalizer: Normalizer?, textLimit: Int) throws(TokenizerError) {
    for element in try node?.elements() ?? [] { try insert(element, vocabulary, normalizer, textLimit: textLimit) }
  }

  private mutating func insert(
    _ node: JSONNode, _ vocabulary: Vocabulary, _ normalizer: Normalizer?, textLimit: Int
  ) throws(TokenizerError) {
    // `special` matters only to decoding.
    try node.allowOnly(["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
    let content = Array(try node.required("content").string().utf8)
    let idNode = try node.required("id")
    let id = try idNode.tokenID()
    let isSpecial = try node.bool("special", default: false)
    guard !content.isEmpty else { throw .invalid(path: node.path(of: "content"), reason: "an added token without text") }
    if let modelID = vocabulary.id(of: content[...]) {
      guard modelID == id else {
        throw .invalid(path: idNode.path, reason: "the token has the id \(modelID) in the model's vocabulary, but \(id) here")
      }
    } else if let token = vocabulary.token(of: id) {
      throw .invalid(path: idNode.path, reason: "the id \(id) is that of the token \"\(token)\" of the model's vocabulary")
    }
    guard ids.updateValue(id, forKey: content) == nil else {
      throw .invalid(path: node.path, reason: "the token is added twice")
    }
    let traits = Traits(
      isSingleWord: try node.bool("single_word", default: false), stripsLeft: try node.bool("lstrip", default: false),
      stripsRight: try node.bool("rstrip", default: false))
    guard self.traits.updateValue(traits, forKey: id) == nil else {
      throw .invalid(path: idNode.path, reason: "the id \(id) is that of another added token too")
    }
    highestID = max(highestID, id)
    guard try node.bool("normalized", default: !isSpecial) else { return verbatim.insert(content, id: id) }
    var text = content
    try normalizer?.apply(to: &text, limit: textLimit)
    if !text.isEmpty { normalized.insert(text, id: id) }
  }

  func id(of token: String) -> Int32? { ids[Array(token.utf8)] }

  /// The tokens that are looked for in the text as it came, and the text between them.
  func verbatimSections(of bytes: [UInt8]) -> [Section] { sections(of: bytes, verbatim) }

  /// The tokens that are looked for in normalized text, and the text between them.
  func normalizedSections(of bytes: [UInt8]) -> [Section] { sections(of: bytes, normalized) }

  private func sections(of bytes: [UInt8], _ trie: ByteTrie) -> [Section] {
    var sections: [Section] = []
    var covered = 0
    var position = 0
    while position < bytes.count {
      guard let match = trie.longestMatch(in: bytes, at: position) else {
        position += 1
        continue
      }
      let found = position..<match.end
      position = match.end
      guard let traits = traits[match.id], !traits.isSingleWord || isSingleWord(found, in: bytes) else { continue }
      var (start, end) = (found.lowerBound, found.upperBound)
      if traits.stripsLeft {
        while start > covered, case let before = bytes.scalar(before: start), CharacterClasses.isWhitespace(before.scalar) {
          start = before.start
        }
      }
      if traits.stripsRight {
        while end < bytes.count, case let after = bytes.scalar(at: end), CharacterClasses.isWhitespace(after.scalar) { end = after.end }
      }
      if covered < start { sections.append(.text(covered..<start)) }
      sections.append(.token(match.id))
      covered = end
    }
    if covered < bytes.count { sections.append(.text(covered..<bytes.count)) }
    return sections
  }

  private func isSingleWord(_ range: Range<Int>, in bytes: [UInt8]) -> Bool {
    let wordBefore = range.lowerBound > 0 && CharacterClasses.isWord(bytes.scalar(before: range.lowerBound).scalar)
    let wordAfter = range.upperBound < bytes.count && CharacterClasses.isWord(bytes.scalar(at: range.upperBound).scalar)
    return !wordBefore && !wordAfter
  }
}
