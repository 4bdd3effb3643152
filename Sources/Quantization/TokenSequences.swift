import Tokenization

/// Equally long sequences of token ids.
public struct TokenSequences: Sendable, Hashable {
  /// Tokens of each sequence.
  public let length: Int
  /// `count × length` ids.
  public let tokens: [Int32]

  public var count: Int { tokens.count / length }

  /// - Precondition: `tokens` holds whole sequences.
  public init(length: Int, tokens: [Int32]) {
    precondition(length > 0 && tokens.count % length == 0)
    self.length = length
    self.tokens = tokens
  }

  /// The ids of some sequences, one after the other.
  public subscript(sequences: Range<Int>) -> ArraySlice<Int32> {
    tokens[sequences.lowerBound * length..<sequences.upperBound * length]
  }

  /// Sequences for evaluation: the rows as they come, joined without separators, cut.
  ///
  /// - Parameter samples: Wanted number; nil: at most 24.
  /// - Throws: `DatasetError.tooLittleText` where a number was asked for and can't be had, or there isn't one sequence.
  public static func evaluation(_ dataset: TextDataset, tokenizer: Tokenizer?, samples: Int?, length: Int) throws -> TokenSequences {
    let (wanted, overflow) = (samples ?? 24).multipliedReportingOverflow(by: length)
    var tokens: [Int32] = []
    for row in dataset.rows where tokens.count < wanted || overflow {
      tokens += try dataset.tokens(of: row, tokenizer: tokenizer)
    }
    let available = tokens.count / length
    guard available > 0, samples == nil || available >= samples ?? 0 else {
      throw DatasetError.tooLittleText(file: dataset.name, tokens: tokens.count, sequenceLength: length, samples: samples ?? 1)
    }
    return TokenSequences(length: length, tokens: Array(tokens.prefix(min(available, samples ?? 24) * length)))
  }
}

/// A small random generator whose numbers are the same in every version and on every machine (Steele, Lea, Flood 2014).
package struct SplitMix64 {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number below `bound`, each equally likely to within 2⁻⁶⁴·bound.
  mutating func next(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }
}
