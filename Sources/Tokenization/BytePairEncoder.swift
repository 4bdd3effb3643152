import StrictJSON

/// `model` of tokenizer.json, of type BPE: turns a piece of text into ids by merging its characters.
struct BytePairEncoder: Sendable {
  let vocabulary: Vocabulary
  private let merges: MergeTable
  private let unknownID: Int32?
  private let fusesUnknown: Bool
  /// By byte, the id of `<0xNN>`; nil if the model doesn't fall back to bytes.
  private let byteIDs: [Int32?]?
  private let prefersWholePieces: Bool

  init(_ node: JSONNode) throws(TokenizerError) {
    _ = try node.object()
    // Early files have no type; merges tell what they are.
    if let type = node.optional("type") {
      let name = try type.string()
      guard name == "BPE" else { throw .unsupported(path: type.path, feature: "the model \"\(name)\"") }
    }
    try node.allowOnly([
      "type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
      "ignore_merges",
    ])
    if let dropout = node.optional("dropout"), dropout.value.doubleValue != 0 {
      throw .unsupported(path: dropout.path, feature: "dropout, which makes ids random")
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = node.optional(name), case let text = try affix.string(), !text.isEmpty {
        throw .unsupported(path: affix.path, feature: "the \(name) \"\(text)\"")
      }
    }
    let vocabulary = try Vocabulary(try node.required("vocab"))
    self.vocabulary = vocabulary
    merges = try MergeTable(try node.required("merges"), vocabulary)
    if let unknown = node.optional("unk_token") {
      guard let id = vocabulary.id(of: try unknown.string()) else {
        throw .invalid(path: unknown.path, reason: "is not in the vocabulary")
      }
      unknownID = id
    } else {
      unknownID = nil
    }
    fusesUnknown = try node.bool("fuse_unk", default: false)
    prefersWholePieces = try node.bool("ignore_merges", default: false)
    byteIDs =
      try node.bool("byte_fallback", default: false)
      ? (0...0xFF).map { byte in
        let digits = String(byte, radix: 16, uppercase: true)
        return vocabulary.id(of: "<0x\(digits.count < 2 ? "0" : "")\(digits)>")
      } : nil
  }

  /// Appends the ids of `piece`, valid UTF-8; `symbols` is working space.
  ///
  /// A character that is neither in the vocabulary nor made of its bytes gives the unknown token,
  /// or nothing if the model has none.
  func encode(_ piece: ArraySlice<UInt8>, _ symbols: inout SymbolList, into ids: inout [Int32]) {
    if prefersWholePieces, let id = vocabulary.id(of: piece) {
      ids.append(id)
      return
    }
    symbols.removeAll()
    var pendingUnknown: Int32?
    var position = piece.startIndex
    while position < piece.endIndex {
      let (scalar, end) = piece.scalar(at: position)
      defer { position = end }
      if let id = vocabulary.id(ofScalar: scalar) {
        if let unknown = pendingUnknown.take() { symbols.append(unknown) }
        symbols.append(id)
      } else if let byteIDs, piece[position..<end].allSatisfy({ byteIDs[Int($0)] != nil }) {
        // A pending unknown token goes after the bytes here, as in the reference implementation.
        for byte in piece[position..<end] {
          if let id = byteIDs[Int(byte)] { symbols.append(id) }
        }
      } else {
        if !fusesUnknown, let unknown = pendingUnknown { symbols.append(unknown) }
        pendingUnknown = unknownID
      }
    }
    if let unknown = pendingUnknown { symbols.append(unknown) }
    symbols.merge(merges, into: &ids)
  }
}
