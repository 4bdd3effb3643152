import StrictJSON
import Testing
import Tokenization

struct EdgeCaseTests {
  /// The bytes that ids of the qwen2 fixture stand for, by its byte-level vocabulary.
  private struct Decoder {
    let bytesOfIDs: [Int32: [UInt8]]

    init() throws {
      let vocabulary = try #require(try Fixtures.json("qwen2/tokenizer.json")["model"]?["vocab"]?.objectValue)
      let printable = Set(Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF) as [UInt32])
      var bytesOfScalars = Dictionary(uniqueKeysWithValues: printable.map { ($0, UInt8($0)) })
      for (index, byte) in (0...0xFF as ClosedRange<UInt32>).filter({ !printable.contains($0) }).enumerated() {
        bytesOfScalars[0x100 + UInt32(index)] = UInt8(byte)
      }
      var bytesOfIDs: [Int32: [UInt8]] = [:]
      for (token, id) in vocabulary.members {
        bytesOfIDs[Int32(try #require(id.intValue))] = token.unicodeScalars.compactMap { bytesOfScalars[$0.value] }
      }
      self.bytesOfIDs = bytesOfIDs
    }

    func text(_ ids: [Int32]) -> String { String(decoding: ids.flatMap { bytesOfIDs[$0] ?? [] }, as: UTF8.self) }
  }

  @Test(
    "every byte of the text is in the ids",
    arguments: [
      "", "\0", "\0\0a\0", "\r", "\n", "\r\n\r\n", "\u{85}\u{2028}", "👩‍👩‍👧‍👦🏳️‍🌈", "\u{FEFF}bom", "\u{FFFF}\u{10FFFF}",
      String(repeating: " ", count: 5000), String(repeating: "\n", count: 5000), String(repeating: " \t\n", count: 3000) + "x",
      String(repeating: "a", count: 1_000_000), String(repeating: "-=", count: 100_000),
    ])
  func roundTrip(_ text: String) throws {
    let tokenizer = try Tokenizer(Fixtures.json("qwen2/tokenizer.json"))
    let ids = try tokenizer.encode(text, addSpecialTokens: false)
    #expect(Array(try Decoder().text(ids).utf8) == Array(text.utf8))
  }

  @Test func canonicallyEquivalentTokensAreDifferentTokens() throws {
    let tokenizer = try Tokenizer(
      JSONValue(
        parsing: #"{"model": {"type": "BPE", "vocab": {"e": 0, "\u0301": 1, "e\u0301": 2, "\u00e9": 3}, "merges": [["e", "\u0301"]]}}"#))
    #expect(try tokenizer.encode("e\u{301}", addSpecialTokens: false) == [2])
    #expect(try tokenizer.encode("\u{E9}", addSpecialTokens: false) == [3])
    #expect(tokenizer.tokenID("e\u{301}") == 2)
    #expect(tokenizer.tokenID("\u{E9}") == 3)
  }

  @Test func addedTokensExtendTheVocabulary() throws {
    let tokenizer = try Tokenizer(
      Fixtures.json("qwen2/tokenizer.json", changing: "added_tokens", to: #"[{"id": 4000, "content": "<x>", "special": true}]"#))
    #expect(tokenizer.vocabularySize == 4001)
    #expect(tokenizer.tokenID("<x>") == 4000)
    #expect(try tokenizer.encode("<x><x>", addSpecialTokens: false) == [4000, 4000])
  }

  @Test func anExponentialPatternFailsInsteadOfHanging() throws {
    let tokenizer = try splitting(by: "(?:a+)+(?=[bc])")
    #expect(try tokenizer.encode("aab", addSpecialTokens: false).isEmpty == false)
    #expect(throws: TokenizerError.matchFailed(pattern: "(?:a+)+(?=[bc])", reason: "match limit exceeded")) {
      _ = try tokenizer.encode(String(repeating: "a", count: 64), addSpecialTokens: false)
    }
  }

  @Test("a match that overflows the stack of PCRE2's compiled code is found by its interpreter")
  func deepBacktracking() throws {
    let text = String(repeating: "ab-c", count: 20_000)
    let ids = try splitting(by: "(?:ab|-c|x)+").encode(text, addSpecialTokens: false)
    #expect(try Decoder().text(ids) == text)
  }

  private func splitting(by pattern: String) throws -> Tokenizer {
    try Tokenizer(
      Fixtures.json(
        "qwen2/tokenizer.json", changing: "pre_tokenizer",
        to: """
          {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\(pattern)"}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
          """))
  }

  @Test func concurrentEncodingGivesTheSameIDs() async throws {
    let tokenizer = try Tokenizer(Fixtures.json("qwen2/tokenizer.json"))
    let cases = try Fixtures.cases(of: "qwen2")
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try cases.allSatisfy { try tokenizer.encode($0.text, addSpecialTokens: false) == $0.ids }
        }
      }
      for try await isEqual in group { #expect(isEqual) }
    }
  }
}
