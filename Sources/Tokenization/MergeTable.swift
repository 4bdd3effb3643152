import StrictJSON

/// Which two neighbouring tokens merge, in which order of preference, and into what.
struct MergeTable: Sendable {
  private var ranks: [UInt64: UInt32] = [:]
  private var results: [Int32] = []

  /// Reads `model.merges`: pairs `["a", "b"]`, or strings `"a b"` as written before tokenizers 0.20.
  init(_ node: JSONNode, _ vocabulary: Vocabulary) throws(TokenizerError) {
    guard let elements = node.value.arrayValue else { throw node.wrongKind(expected: "an array") }
    ranks.reserveCapacity(elements.count)
    results.reserveCapacity(elements.count)
    for (position, element) in elements.enumerated() {
      if let line = element.stringValue, line.utf8.starts(with: "#version".utf8) { continue }
      let (left, right) = try Self.pair(element, position, node)
      let leftID = try Self.id(of: left, position, node, vocabulary)
      let rightID = try Self.id(of: right, position, node, vocabulary)
      guard let rank = UInt32(exactly: results.count) else {
        throw .invalid(path: node.path, reason: "too many merges")
      }
      ranks[Self.key(leftID, rightID)] = rank
      results.append(try Self.id(of: left + right, position, node, vocabulary))
    }
  }

  private static func pair(_ element: JSONValue, _ position: Int, _ node: JSONNode) throws(TokenizerError) -> (String, String) {
    let malformed = TokenizerError.invalid(
      path: "\(node.path)/\(position)", reason: "a merge is two tokens, [\"a\", \"b\"] or \"a b\"")
    switch element {
    case .string(let line):
      let utf8 = line.utf8
      guard let space = utf8.firstIndex(of: UInt8(ascii: " ")), !utf8[utf8.index(after: space)...].contains(UInt8(ascii: " ")),
        let left = String(utf8[..<space]), let right = String(utf8[utf8.index(after: space)...])
      else { throw malformed }
      return (left, right)
    case .array(let tokens):
      guard tokens.count == 2, let left = tokens[0].stringValue, let right = tokens[1].stringValue else { throw malformed }
      return (left, right)
    default: throw malformed
    }
  }

  private static func id(
    of token: String, _ position: Int, _ node: JSONNode, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> Int32 {
    guard let id = vocabulary.id(of: token) else {
      throw .invalid(path: "\(node.path)/\(position)", reason: "the token \"\(token)\" is not in the vocabulary")
    }
    return id
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The lower the rank, the earlier the merge; nil if these two don't merge.
  func rank(_ left: Int32, _ right: Int32) -> UInt32? { ranks[Self.key(left, right)] }

  /// The token that the merge of that rank makes.
  func result(rank: UInt32) -> Int32 { results[Int(rank)] }
}
