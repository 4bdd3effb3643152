import Tokenization

/// Calibration text as equally long sequences, in an order that the seed chooses: as many as a job begins with, and more on demand.
public final class CalibrationData {
  /// Tokens of each sequence.
  public let length: Int
  /// What the job begins with.
  public private(set) var initial: TokenSequences
  private let dataset: TextDataset
  private let tokenizer: Tokenizer?
  private var remainingRows: ArraySlice<TextDataset.Row>
  private var tokens: [Int32] = []

  /// How many sequences are taken where no number is asked for and the data has as many.
  public static let defaultSamples = 128

  /// - Parameters:
  ///   - samples: Wanted number; nil: 128, or what the data gives.
  ///   - seed: Chooses the order of the rows, which are joined without separators and cut.
  /// - Throws: `DatasetError.tooLittleText` where a number was asked for and can't be had, or there isn't one sequence.
  public init(_ dataset: TextDataset, tokenizer: Tokenizer?, samples: Int?, length: Int, seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    var rows = dataset.rows
    for index in rows.indices.dropLast() {
      rows.swapAt(index, index + Int(generator.next(below: UInt64(rows.count - index))))
    }
    (self.dataset, self.tokenizer, self.length) = (dataset, tokenizer, length)
    remainingRows = rows[...]
    initial = TokenSequences(length: length, tokens: [])
    initial = try sequences(samples ?? Self.defaultSamples)
    guard initial.count > 0, samples == nil || initial.count == samples else {
      throw DatasetError.tooLittleText(file: dataset.name, tokens: tokens.count, sequenceLength: length, samples: samples ?? 1)
    }
  }

  /// The first `count` sequences, those that were given before at their beginning; fewer where the data ends.
  public func sequences(_ count: Int) throws -> TokenSequences {
    let (wanted, overflow) = count.multipliedReportingOverflow(by: length)
    while tokens.count < wanted || overflow, let row = remainingRows.popFirst() {
      tokens += try dataset.tokens(of: row, tokenizer: tokenizer)
    }
    return TokenSequences(length: length, tokens: Array(tokens.prefix(min(tokens.count / length, count) * length)))
  }
}
