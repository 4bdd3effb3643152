import Foundation
import JobModel
import Service
import Testing

@Suite struct DatasetLinesTests {
  /// - Parameter part: Bytes that come at once.
  private func rows(_ text: some Collection<UInt8>, part: Int) throws(Problem) -> Int {
    var lines = DatasetLines()
    let bytes = Array(text)
    for start in stride(from: 0, to: bytes.count, by: part) { try lines.add(bytes[start..<min(start + part, bytes.count)]) }
    return try lines.finish()
  }

  @Test(arguments: [
    ("{\"text\": \"a\"}", 1), ("{\"text\": \"a\"}\n", 1), ("{\"text\": \"a\"}\r\n\r\n{\"input_ids\": [1, 2]}\r\n", 2),
    ("\n\n \t\n{\"text\": \"ä\\n🐟\"}\n\n", 1), ("{\"input_ids\": []}\n{\"text\": \"\", \"other\": [1]}", 2),
  ])
  func rowsAreCountedInWhateverPartsTheyCome(text: String, count: Int) throws {
    for part in [1, 2, 3, 7, 1000] { #expect(try rows(text.utf8, part: part) == count) }
  }

  @Test(arguments: [
    ("{\"text\": \"a\"}\n{\"text\": 1}\n{]", "line 2: text must be a string"), ("{\"text\": \"a\"}\n\n[]\n", "line 3: it holds an array"),
    ("{\"text\": \"a\"", "line 1: "), ("{\"input_ids\": [1, -1]}", "line 1: input_ids must be integers"),
    ("{\"input_ids\": [1.5]}", "line 1: input_ids"), ("{\"input_ids\": [2147483648]}", "line 1: input_ids"),
    ("{\"text\": \"a\", \"input_ids\": [1]}", "line 1: it has both"), ("{\"messages\": []}", "line 1: it has messages"),
    ("{\"text\": \"a\", \"text\": \"b\"}", "line 1: "), ("\u{FEFF}{\"text\": \"a\"}", "line 1: "), ("{\"text\": \"\u{0}\"}", "line 1: "),
    ("not json", "line 1: "), ("", "it has no rows"), ("\n\n  \n", "it has no rows"),
  ])
  func theFirstBadLineIsNamed(text: String, message: String) {
    for part in [3, 1 << 16] {
      let problem = #expect(throws: Problem.self) { try rows(text.utf8, part: part) }
      #expect(problem?.status == 422)
      #expect(problem?.code == .invalidDataset)
      #expect(problem?.detail.hasPrefix(message) == true, "\(problem?.detail.prefix(200) ?? "")")
    }
  }

  @Test func largeLinesAreRefused() {
    for (text, message) in [
      ("{\"text\": \"" + String(repeating: "x", count: DatasetLines.lineLimit) + "\"}", "line 1: it is longer than"),
      ("{\"input_ids\": [" + String(repeating: "0,", count: DatasetLines.valueLimit) + "0]}", "line 1: "),
      (String(repeating: "[", count: 100_000), "line 1: "),
    ] {
      let problem = #expect(throws: Problem.self) { try rows(text.utf8, part: 1 << 16) }
      #expect(problem?.detail.hasPrefix(message) == true, "\(problem?.detail.prefix(200) ?? "")")
    }
  }

  @Test func bytesThatAreNoTextAreABadLine() {
    let problem = #expect(throws: Problem.self) {
      try rows(Array("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xFF, 0xC0] + Array("\"}".utf8), part: 5)
    }
    #expect(problem?.detail.hasPrefix("line 2: ") == true)
  }
}
