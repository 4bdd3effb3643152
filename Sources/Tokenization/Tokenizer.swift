import Foundation
import StrictJSON

/// Turns text into the token ids of a model, as its Hugging Face tokenizer.json says.
///
/// The ids are those of the `tokenizers` library. What that file may ask for and this type can't do is an
/// error when it is read. `decoder`, `padding` and `truncation` have no effect on the ids of a text and are ignored.
public struct Tokenizer: Sendable {
  /// Half of what pre-tokenization may make of it; byte-level rewriting doubles a text at most.
  private static let textLimit = PreTokenizedText.byteLimit / 2

  private let normalizer: Normalizer?
  private let preTokenizer: PreTokenizer?
  private let model: BytePairEncoder
  private let addedTokens: AddedTokens
  private let postProcessor: PostProcessor?

  /// Reads a tokenizer.json.
  public init(contentsOf tokenizerJSON: URL) throws(TokenizerError) {
    let bytes: [UInt8]
    do {
      bytes = Array(try Data(contentsOf: tokenizerJSON))
    } catch {
      throw .unreadable(file: tokenizerJSON.path, reason: error.localizedDescription)
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes)
    } catch {
      throw .notJSON(error)
    }
    try self.init(json)
  }

  /// Reads the contents of a tokenizer.json.
  public init(_ json: JSONValue) throws(TokenizerError) {
    let root = JSONNode(value: json, path: "")
    try root.allowOnly([
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model",
    ])
    if let version = root.optional("version"), try version.string() != "1.0" {
      throw .unsupported(path: version.path, feature: "the format version \(try version.string())")
    }
    normalizer = try Self.component(root.optional("normalizer"), Normalizer.init)
    preTokenizer = try Self.component(root.optional("pre_tokenizer"), PreTokenizer.init)
    postProcessor = try Self.component(root.optional("post_processor"), PostProcessor.init)
    model = try BytePairEncoder(try root.required("model"))
    addedTokens = try AddedTokens(root.optional("added_tokens"), model.vocabulary, normalizer, textLimit: Self.textLimit)
  }

  private static func component<Component>(
    _ node: JSONNode?, _ read: (JSONNode) throws(TokenizerError) -> Component
  ) throws(TokenizerError) -> Component? {
    guard let node else { return nil }
    return try read(node)
  }

  /// The highest id plus one, added tokens included. A model's embedding may have more rows.
  public var vocabularySize: Int { Int(max(model.vocabulary.highestID, addedTokens.highestID)) + 1 }

  /// The id of a token as the vocabulary spells it (byte-level characters, not text), or of an added token.
  public func tokenID(_ token: String) -> Int32? { addedTokens.id(of: token) ?? model.vocabulary.id(of: token) }

  /// The ids of `text`. Safe to call from several threads at once.
  ///
  /// - Parameters:
  ///   - text: Added tokens in it, special ones too, become their ids.
  ///   - addSpecialTokens: Whether the tokens of the post-processor (such as a beginning of text) are put around it.
  /// - Throws: `matchFailed` if a pattern backtracks without end; `textTooLong` beyond 512 MiB.
  public func encode(_ text: String, addSpecialTokens: Bool) throws(TokenizerError) -> [Int32] {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.textLimit else { throw .textTooLong(bytes: bytes.count, limit: Self.textLimit) }
    var symbols = SymbolList()
    var ids: [Int32] = []
    if addSpecialTokens, let postProcessor { ids += postProcessor.prefix }
    for section in addedTokens.verbatimSections(of: bytes) {
      switch section {
      case .token(let id): ids.append(id)
      case .text(let range):
        try encode(Array(bytes[range]), isAtStart: range.lowerBound == 0, &symbols, into: &ids)
      }
    }
    if addSpecialTokens, let postProcessor { ids += postProcessor.suffix }
    return ids
  }

  private func encode(
    _ bytes: [UInt8], isAtStart: Bool, _ symbols: inout SymbolList, into ids: inout [Int32]
  ) throws(TokenizerError) {
    var bytes = bytes
    try normalizer?.apply(to: &bytes, limit: Self.textLimit)
    for section in addedTokens.normalizedSections(of: bytes) {
      switch section {
      case .token(let id): ids.append(id)
      case .text(let range):
        var text = PreTokenizedText(bytes: Array(bytes[range]), isAtStart: isAtStart && range.lowerBound == 0)
        try preTokenizer?.apply(to: &text)
        for piece in text.pieces { model.encode(text.bytes[piece], &symbols, into: &ids) }
      }
    }
  }
}
