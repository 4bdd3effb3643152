import Foundation
import StrictJSON
import Testing
import Tokenization

struct ReferenceTests {
  @Test("ids are those of the tokenizers library", arguments: ["qwen2", "llama3", "smollm2", "llama2"])
  func family(_ name: String) throws {
    let tokenizer = try Tokenizer(Fixtures.json("\(name)/tokenizer.json"))
    let cases = try Fixtures.cases(of: name)
    #expect(cases.count == 140)
    for expected in cases {
      #expect(try tokenizer.encode(expected.text, addSpecialTokens: false) == expected.ids, "\(expected.text.debugDescription)")
      #expect(try tokenizer.encode(expected.text, addSpecialTokens: true) == expected.idsWithSpecial, "\(expected.text.debugDescription)")
    }
  }

  @Test(arguments: try Fixtures.variants())
  func variant(_ variant: Fixtures.Variant) throws {
    let tokenizer = try Tokenizer(variant.tokenizer)
    for expected in variant.cases {
      #expect(try tokenizer.encode(expected.text, addSpecialTokens: false) == expected.ids, "\(expected.text.debugDescription)")
      #expect(try tokenizer.encode(expected.text, addSpecialTokens: true) == expected.idsWithSpecial, "\(expected.text.debugDescription)")
    }
  }

  @Test func readsAFile() throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/qwen2/tokenizer.json")
    let tokenizer = try Tokenizer(contentsOf: url)
    #expect(tokenizer.vocabularySize == 600)
    #expect(tokenizer.tokenID("<|im_end|>") == 2)
    #expect(tokenizer.tokenID("Ġthe") == tokenizer.tokenID("\u{120}the"))
    #expect(tokenizer.tokenID("no such token") == nil)
  }

  @Test func mergesWrittenAsStringsAreTheSame() throws {
    let pairs = try Tokenizer(Fixtures.json("qwen2/tokenizer.json"))
    let file = try Fixtures.json("qwen2/tokenizer.json")
    let merges = try #require(file["model"]?["merges"]?.arrayValue).map { pair in
      JSONValue.string(try #require(pair.arrayValue).compactMap(\.stringValue).joined(separator: " "))
    }
    let list = JSONValue.array([.string("#version: 0.2")] + merges).serialized()
    let strings = try Tokenizer(Fixtures.changing(file, "model/merges", to: list))
    for text in try Fixtures.cases(of: "qwen2").map(\.text) {
      #expect(try strings.encode(text, addSpecialTokens: false) == pairs.encode(text, addSpecialTokens: false))
    }
  }
}
