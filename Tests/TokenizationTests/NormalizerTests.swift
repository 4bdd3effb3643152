import StrictJSON
import Testing
import Tokenization

/// Byte-level ids stand for bytes one to one where nothing merges, so they show what text the normalizer made.
struct NormalizerTests {
  private let composing: Tokenizer
  private let verbatim: Tokenizer

  init() throws {
    let withoutMerges = try Fixtures.json("qwen2/tokenizer.json", changing: "model/merges", to: "[]")
    composing = try Tokenizer(withoutMerges)
    verbatim = try Tokenizer(Fixtures.changing(withoutMerges, "normalizer", to: "null"))
  }

  @Test(
    "canonical composition agrees with Unicode where Foundation's does not",
    arguments: [
      ("\u{CCA}\u{CD5}", "\u{CCB}"), ("\u{AC00}\u{11C1}", "\u{AC1A}"), ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"),
      ("\u{1100}\u{1161}\u{11A7}", "\u{AC00}\u{11A7}"), ("\u{1100}\u{1161}\u{11C3}", "\u{AC00}\u{11C3}"),
      ("\u{1100}\u{1176}\u{11A8}", "\u{1100}\u{1176}\u{11A8}"), ("\u{230D8}\u{3099}", "\u{230D8}\u{3099}"),
      ("\u{30D8}\u{3099}", "\u{30D9}"),
    ])
  func canonicalComposition(_ text: String, _ expected: String) throws { try expectComposed(text, expected) }

  @Test(arguments: [
    ("", ""), ("ascii", "ascii"), ("e\u{301}", "\u{E9}"), ("\u{E9}", "\u{E9}"), ("a\u{315}\u{300}", "\u{E0}\u{315}"),
    ("s\u{307}\u{323}", "\u{1E69}"), ("\u{1E9B}\u{323}", "\u{1E9B}\u{323}"), ("\u{212B}", "\u{C5}"), ("\u{958}", "\u{915}\u{93C}"),
    ("\u{F900}", "\u{8C48}"), ("\u{344}", "\u{308}\u{301}"), ("\u{301}e", "\u{301}e"), ("\u{1D15E}", "\u{1D157}\u{1D165}"),
    ("\u{304B}\u{3099}", "\u{304C}"), ("\u{304B}\u{304C}\u{3099}", "\u{304B}\u{304C}\u{3099}"),
  ])
  func canonicalCompositionOfExamples(_ text: String, _ expected: String) throws { try expectComposed(text, expected) }

  @Test("marks that came after Unicode 9 are not reordered, as in the tokenizers library")
  func laterMarks() throws {
    try expectComposed("a\u{315}\u{8CC}", "a\u{315}\u{8CC}")
    try expectComposed("a\u{7FD}\u{301}", "a\u{7FD}\u{301}")
  }

  @Test func longRunsOfMarksAreSorted() throws {
    let count = 50_000
    let above = String(repeating: "\u{315}", count: count)
    let below = String(repeating: "\u{316}", count: count)
    try expectComposed("a" + String(repeating: "\u{315}\u{316}", count: count), "a" + below + above)
  }

  private func expectComposed(_ text: String, _ expected: String) throws {
    #expect(try composing.encode(text, addSpecialTokens: false) == verbatim.encode(expected, addSpecialTokens: false))
  }
}
