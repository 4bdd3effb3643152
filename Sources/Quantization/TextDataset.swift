import Checkpoint
import Foundation
import StrictJSON
import Tokenization

/// Rows of a JSON Lines file: `{"text": …}` or `{"input_ids": […]}`, one a line; empty lines are skipped.
public struct TextDataset: Sendable {
  public enum Row: Sendable, Hashable {
    case text(String)
    case tokens([Int32])
  }

  /// Base name of the file, for messages.
  public let name: String
  public let rows: [Row]

  package init(name: String, rows: [Row]) {
    self.name = name
    self.rows = rows
  }

  /// Reads and checks every line.
  ///
  /// - Throws: `DatasetError` that names the first bad line.
  public init(contentsOf file: URL) throws {
    let name = file.lastPathComponent
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch {
      throw DatasetError.unreadable(file: name, reason: error.reason)
    }
    var rows: [Row] = []
    for (index, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      do {
        if let row = try Self.row(Array(line)) { rows.append(row) }
      } catch {
        throw DatasetError.badLine(file: name, line: index + 1, reason: error.reason)
      }
    }
    guard !rows.isEmpty else { throw DatasetError.empty(file: name) }
    self.name = name
    self.rows = rows
  }

  /// What is wrong with a line.
  package struct BadLine: Error { package let reason: String }

  /// - Parameter valueLimit: How many values the line may have.
  /// - Returns: nil for an empty line.
  package static func row(_ line: [UInt8], valueLimit: Int = .max) throws(BadLine) -> Row? {
    if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return nil }
    func bad(_ reason: String) -> BadLine { BadLine(reason: reason) }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: line, valueLimit: valueLimit)
    } catch {
      throw bad("\(error.reason) (column \(error.column))")
    }
    guard case .object(let object) = json else { throw bad("it holds \(json.kindDescription), not an object") }
    switch (object["text"], object["input_ids"]) {
    case (.string(let text)?, nil): return .text(text)
    case (nil, .array(let ids)?):
      let tokens = ids.compactMap { $0.intValue.flatMap(Int32.init(exactly:)) }.filter { $0 >= 0 }
      guard tokens.count == ids.count else { throw bad("input_ids must be integers from 0 on") }
      return .tokens(tokens)
    case (let text?, nil): throw bad("text must be a string, is \(text.kindDescription)")
    case (nil, let ids?): throw bad("input_ids must be an array of token ids, is \(ids.kindDescription)")
    case (_?, _?): throw bad("it has both text and input_ids; keep one")
    case (nil, nil):
      throw bad(
        object["messages"] == nil
          ? "it has neither text nor input_ids"
          : "it has messages; chat templates are not run here, so render them to text first")
    }
  }

  /// The tokens of a row.
  func tokens(of row: Row, tokenizer: Tokenizer?) throws -> [Int32] {
    switch row {
    case .tokens(let tokens): return tokens
    case .text(let text):
      guard let tokenizer else { throw DatasetError.needsTokenizer(file: name) }
      return try tokenizer.encode(text, addSpecialTokens: false)
    }
  }
}

/// What is wrong with calibration or evaluation data.
public enum DatasetError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  case empty(file: String)
  case badLine(file: String, line: Int, reason: String)
  case needsTokenizer(file: String)
  case tooLittleText(file: String, tokens: Int, sequenceLength: Int, samples: Int)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "the dataset \(file) can't be read: \(reason)"
    case .empty(let file):
      "the dataset \(file) has no rows; each line should be {\"text\": …} or {\"input_ids\": […]}"
    case .badLine(let file, let line, let reason):
      "the dataset \(file), line \(line): \(reason)"
    case .needsTokenizer(let file):
      "the dataset \(file) holds text and the model has no tokenizer.json; add it, or give rows of input_ids"
    case .tooLittleText(let file, let tokens, let sequenceLength, let samples):
      "the dataset \(file) has too little text: its \(tokens) tokens make \(tokens / sequenceLength) sequences of \(sequenceLength), "
        + "\(samples) are needed; add text, or ask for fewer samples or shorter sequences"
    }
  }
}
