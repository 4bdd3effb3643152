import Transformer

/// The sequences of a data set, a few at a time: enough for efficient products, few enough for memory.
struct SequenceBatches {
  let sequences: TokenSequences
  /// Tokens that are computed at once, if a sequence isn't longer.
  private static let tokensPerBatch = 4096

  init(_ sequences: TokenSequences) { self.sequences = sequences }

  /// Row ranges of whole sequences that together are all tokens.
  var rows: [Range<Int>] {
    let size = max(1, Self.tokensPerBatch / sequences.length) * sequences.length
    return stride(from: 0, to: sequences.tokens.count, by: size).map { $0..<min(sequences.tokens.count, $0 + size) }
  }
}

extension SequenceBatches {
  /// The hidden states that enter the first block.
  func embed<Source>(with model: CausalLanguageModel<Source>, into spool: ActivationSpool) throws {
    for batch in rows { spool.write(try model.embed(sequences.tokens[batch]), at: batch.lowerBound) }
  }
}
