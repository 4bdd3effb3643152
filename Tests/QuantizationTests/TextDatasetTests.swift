import Foundation
import Quantization
import Testing

@Suite struct TextDatasetTests {
  private func dataset(_ text: String) throws -> TextDataset {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(component: "data.jsonl")
    try Data(text.utf8).write(to: file)
    return try TextDataset(contentsOf: file)
  }

  @Test func readsTextAndIds() throws {
    let rows = try dataset("{\"text\": \"a\"}\n\n{\"input_ids\": [3, 1, 2]}\r\n{\"text\": \"b\", \"source\": 7}").rows
    #expect(rows == [.text("a"), .tokens([3, 1, 2]), .text("b")])
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    let text: String
    let message: String
    var testDescription: String { text.debugDescription }
  }

  @Test(
    "A bad line is named by its number",
    arguments: [
      Hostile(text: "", message: "has no rows"),
      Hostile(text: "\n \n", message: "has no rows"),
      Hostile(text: "{\"text\": \"a\"}\noops\n", message: "line 2: a value should be here"),
      Hostile(text: "{\"text\": \"a\"}\n{\"text\": \"a\n", message: "line 2"),
      Hostile(text: "[1]", message: "line 1: it holds an array"),
      Hostile(text: "{\"text\": 5}", message: "line 1: text must be a string, is an integer"),
      Hostile(text: "{\"text\": null}", message: "line 1: text must be a string, is null"),
      Hostile(text: "{}", message: "line 1: it has neither text nor input_ids"),
      Hostile(text: "{\"input_ids\": [1, -2]}", message: "line 1: input_ids must be integers from 0 on"),
      Hostile(text: "{\"input_ids\": [1, 99999999999]}", message: "line 1: input_ids must be integers from 0 on"),
      Hostile(text: "{\"input_ids\": [1.5]}", message: "line 1: input_ids must be integers"),
      Hostile(text: "{\"input_ids\": \"1 2\"}", message: "line 1: input_ids must be an array"),
      Hostile(text: "{\"text\": \"a\", \"input_ids\": [1]}", message: "line 1: it has both"),
      Hostile(text: "{\"text\": \"a\", \"text\": \"b\"}", message: "line 1: the member \"text\" appears twice"),
      Hostile(text: "{\"messages\": []}", message: "chat templates are not run here"),
    ])
  func refuses(_ hostile: Hostile) throws {
    let error = try #require(throws: DatasetError.self) { try dataset(hostile.text) }
    #expect(error.description.contains(hostile.message), "\(error)")
  }

  @Test func refusesAMissingFile() throws {
    let error = try #require(throws: DatasetError.self) { try TextDataset(contentsOf: URL(filePath: "/nowhere/x.jsonl")) }
    #expect(error.description.contains("x.jsonl can't be read"))
  }

  @Test("Calibration takes whole sequences of rows in an order that only the seed decides")
  func choosesBySeed() throws {
    let rows = (0..<50).map { "{\"input_ids\": [\($0), \($0), \($0)]}" }.joined(separator: "\n")
    let data = try dataset(rows)
    func sequences(_ seed: UInt64) throws -> TokenSequences {
      try CalibrationData(data, tokenizer: nil, samples: 10, length: 6, seed: seed).initial
    }
    let one = try sequences(1)
    #expect(one.count == 10)
    #expect(try sequences(1) == one)
    #expect(try sequences(2) != one)
    // Rows stay whole: two of three equal tokens make a sequence.
    for sequence in 0..<10 {
      let tokens = Array(one[sequence..<sequence + 1])
      #expect(Set(tokens[0..<3]).count == 1 && Set(tokens[3..<6]).count == 1 && tokens[0] != tokens[3])
    }
  }

  @Test("Evaluation takes the rows as they come")
  func keepsTheOrder() throws {
    let data = try dataset("{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": [4, 5, 6, 7]}")
    #expect(try TokenSequences.evaluation(data, tokenizer: nil, samples: nil, length: 3).tokens == [1, 2, 3, 4, 5, 6])
  }

  @Test("Too little text says how much there is and how much is needed")
  func refusesTooLittle() throws {
    let data = try dataset("{\"input_ids\": [1, 2, 3, 4, 5]}")
    let error = try #require(throws: DatasetError.self) {
      try CalibrationData(data, tokenizer: nil, samples: 2, length: 4, seed: 0)
    }
    #expect(error == .tooLittleText(file: "data.jsonl", tokens: 5, sequenceLength: 4, samples: 2))
    #expect(throws: DatasetError.self) { try CalibrationData(data, tokenizer: nil, samples: nil, length: 6, seed: 0) }
    #expect(try CalibrationData(data, tokenizer: nil, samples: nil, length: 4, seed: 0).initial.count == 1)
  }

  @Test("Text needs a tokenizer")
  func refusesTextWithoutTokenizer() throws {
    let data = try dataset("{\"text\": \"a\"}")
    #expect(throws: DatasetError.needsTokenizer(file: "data.jsonl")) {
      try TokenSequences.evaluation(data, tokenizer: nil, samples: 1, length: 2)
    }
  }
}
