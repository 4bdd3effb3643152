import Foundation
import StrictJSON
import Testing
import Tokenization

struct HostileInputTests {
  struct Change: Sendable, CustomTestStringConvertible {
    let member: String
    let value: String
    let error: TokenizerError
    var testDescription: String { "\(member) = \(value.prefix(80))" }

    init(_ member: String, _ value: String, _ error: TokenizerError) {
      self.member = member
      self.value = value
      self.error = error
    }
  }

  @Test(arguments: [
    Change("model", "null", .missing(path: "/model")),
    Change("model", "[]", .wrongKind(path: "/model", expected: "an object", found: "an array")),
    Change("model/type", "\"Unigram\"", .unsupported(path: "/model/type", feature: "the model \"Unigram\"")),
    Change("model/type", "7", .wrongKind(path: "/model/type", expected: "a string", found: "an integer")),
    Change("model/vocab", "null", .missing(path: "/model/vocab")),
    Change("model/vocab", "[1]", .wrongKind(path: "/model/vocab", expected: "an object", found: "an array")),
    Change("model/vocab", "{\"a/b\": \"1\"}", .wrongKind(path: "/model/vocab/a~1b", expected: "an integer", found: "a string")),
    Change("model/vocab", "{\"a\": 1.5}", .wrongKind(path: "/model/vocab/a", expected: "an integer", found: "a number")),
    Change(
      "model/vocab", "{\"a\": -1}", .invalid(path: "/model/vocab/a", reason: "-1 is not a token id, which is 0 to 2147483646")),
    Change(
      "model/vocab", "{\"a\": 2147483647}",
      .invalid(path: "/model/vocab/a", reason: "2147483647 is not a token id, which is 0 to 2147483646")),
    Change(
      "model/vocab", "{\"a\": 9223372036854775807}",
      .invalid(path: "/model/vocab/a", reason: "9223372036854775807 is not a token id, which is 0 to 2147483646")),
    Change("model/vocab", "{\"a\": 1e300}", .wrongKind(path: "/model/vocab/a", expected: "an integer", found: "a number")),
    Change(
      "model/vocab", "{\"a\": 1, \"b\": 1}",
      .invalid(path: "/model/vocab/b", reason: "the id 1 is that of the token \"a\" too")),
    Change("model/merges", "null", .missing(path: "/model/merges")),
    Change("model/merges", "\"t h\"", .wrongKind(path: "/model/merges", expected: "an array", found: "a string")),
    Change(
      "model/merges", "[[\"t\", \"h\"], [\"t\", \"no such\"]]",
      .invalid(path: "/model/merges/1", reason: "the token \"no such\" is not in the vocabulary")),
    Change(
      "model/merges", "[[\"q\", \"q\"]]", .invalid(path: "/model/merges/0", reason: "the token \"qq\" is not in the vocabulary")),
    Change("model/merges", "[\"t\"]", malformedMerge(0)), Change("model/merges", "[\"t h e\"]", malformedMerge(0)),
    Change("model/merges", "[[\"t\"]]", malformedMerge(0)), Change("model/merges", "[[\"t\", 1]]", malformedMerge(0)),
    Change("model/merges", "[\"t h\", 3]", malformedMerge(1)),
    Change("model/unk_token", "\"<nope>\"", .invalid(path: "/model/unk_token", reason: "is not in the vocabulary")),
    Change("model/dropout", "0.1", .unsupported(path: "/model/dropout", feature: "dropout, which makes ids random")),
    Change(
      "model/end_of_word_suffix", "\"</w>\"",
      .unsupported(path: "/model/end_of_word_suffix", feature: "the end_of_word_suffix \"</w>\"")),
    Change("model/byte_fallback", "1", .wrongKind(path: "/model/byte_fallback", expected: "a boolean", found: "an integer")),
    Change("model/new_option", "true", .unsupported(path: "/model/new_option", feature: "the member \"new_option\"")),
  ])
  func model(_ change: Change) throws { try expectError(change) }

  @Test(arguments: [
    Change("version", "\"2.0\"", .unsupported(path: "/version", feature: "the format version 2.0")),
    Change("extra", "1", .unsupported(path: "/extra", feature: "the member \"extra\"")),
    Change("normalizer", "{\"type\": \"NFKD\"}", .unsupported(path: "/normalizer/type", feature: "the normalizer \"NFKD\"")),
    Change("normalizer", "{}", .missing(path: "/normalizer/type")),
    Change(
      "normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}]}",
      .unsupported(path: "/normalizer/normalizers/1/type", feature: "the normalizer \"Lowercase\"")),
    Change("normalizer", "{\"type\": \"Sequence\"}", .missing(path: "/normalizer/normalizers")),
    Change(
      "normalizer", "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"x\"}",
      .invalid(path: "/normalizer/pattern/String", reason: "an empty pattern")),
    Change(
      "pre_tokenizer", "{\"type\": \"Whitespace\"}",
      .unsupported(path: "/pre_tokenizer/type", feature: "the pre-tokenizer \"Whitespace\"")),
    Change("pre_tokenizer", "3", .missing(path: "/pre_tokenizer/type")),
    Change(
      "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Sideways\", \"invert\": false}",
      .unsupported(path: "/pre_tokenizer/behavior", feature: "the split behavior \"Sideways\"")),
    Change(
      "pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {}, \"behavior\": \"Isolated\", \"invert\": false}",
      .invalid(path: "/pre_tokenizer/pattern", reason: "a pattern has either a String or a Regex")),
    Change(
      "pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"__\"}",
      .invalid(path: "/pre_tokenizer/replacement", reason: "must be one character")),
    Change(
      "pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}",
      .unsupported(path: "/pre_tokenizer/prepend_scheme", feature: "the prepend scheme \"last\"")),
    Change(
      "post_processor", "{\"type\": \"BertProcessing\"}",
      .unsupported(path: "/post_processor/type", feature: "the post-processor \"BertProcessing\"")),
    Change(
      "post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [], \"special_tokens\": {}}",
      .invalid(path: "/post_processor/single", reason: "a template without a place for the text")),
    Change(
      "post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a/b\"}}], \"special_tokens\": {}}",
      .missing(path: "/post_processor/special_tokens/a~1b")),
  ])
  func components(_ change: Change) throws { try expectError(change) }

  @Test(arguments: [
    Change("added_tokens", "{}", .wrongKind(path: "/added_tokens", expected: "an array", found: "an object")),
    Change("added_tokens", "[{\"id\": 700}]", .missing(path: "/added_tokens/0/content")),
    Change("added_tokens", "[{\"content\": \"x\"}]", .missing(path: "/added_tokens/0/id")),
    Change(
      "added_tokens", "[{\"id\": 700, \"content\": \"\"}]",
      .invalid(path: "/added_tokens/0/content", reason: "an added token without text")),
    Change(
      "added_tokens", "[{\"id\": 700, \"content\": \"<a>\"}, {\"id\": 700, \"content\": \"<b>\"}]",
      .invalid(path: "/added_tokens/1/id", reason: "the id 700 is that of another added token too")),
    Change(
      "added_tokens", "[{\"id\": 700, \"content\": \"<a>\"}, {\"id\": 701, \"content\": \"<a>\"}]",
      .invalid(path: "/added_tokens/1", reason: "the token is added twice")),
    Change(
      "added_tokens", "[{\"id\": 700, \"content\": \"<|im_end|>\"}]",
      .invalid(path: "/added_tokens/0/id", reason: "the token has the id 2 in the model's vocabulary, but 700 here")),
    Change(
      "added_tokens", "[{\"id\": -5, \"content\": \"<a>\"}]",
      .invalid(path: "/added_tokens/0/id", reason: "-5 is not a token id, which is 0 to 2147483646")),
    Change(
      "added_tokens", "[{\"id\": 5, \"content\": \"<a>\"}]",
      .invalid(path: "/added_tokens/0/id", reason: "the id 5 is that of the token \"#\" of the model's vocabulary")),
    Change(
      "added_tokens", "[{\"id\": 700, \"content\": \"<a>\", \"lstrip\": \"yes\"}]",
      .wrongKind(path: "/added_tokens/0/lstrip", expected: "a boolean", found: "a string")),
  ])
  func addedTokens(_ change: Change) throws { try expectError(change) }

  @Test(
    "a pattern that PCRE2 would read otherwise is refused",
    arguments: [
      (#"\w+"#, #"the escape \w"#), (#"\h"#, #"the escape \h"#), (#"a\b"#, #"the escape \b"#), (#"(a)\1"#, #"the escape \1"#),
      (#"\R"#, #"the escape \R"#), (#"\p{Han}"#, #"the property \p{Han}, which is no general category"#),
      (#"\pL"#, #"the property \p{}, which is no general category"#), (#"[[:alpha:]]"#, "a character class inside another"),
      (#"[a&&b]"#, "the intersection && of character classes"), (#"[]a]"#, "a character class that starts with ]"),
      (#"[\s-z]"#, "a range that starts with a class"), (#"^a"#, "the line anchor ^"), (#"a$"#, "the line anchor $"),
      (#"a{1,3}+"#, "the repetition {1,3}+"), (#"a{,3}"#, "the repetition {,3}"), (#"a{2}?"#, "the repetition {2}?"),
      (#"a{x}"#, "the repetition {x}"), (#"a{1"#, "the repetition {1"), (#"(?<n>a)"#, "the group (?<"), (#"(?m:a)"#, "the group (?m"),
      (#"(*UCP)a"#, "the group (*"), (#"\xFF"#, #"the code point \xFF"#), (#"\x{110000}"#, #"the code point \x110000"#),
      (#"\x{+41}"#, #"the code point \x+41"#), (#"\u12"#, #"the code point \u12"#),
      (#"a\"#, "a backslash at the end"), (#"(a"#, nil), (#"[a"#, nil), (#"a**"#, nil), (#"[z-a]"#, nil), (#"(?<=a+)b"#, nil),
    ] as [(String, String?)])
  func patterns(_ pattern: String, _ construct: String?) throws {
    let split: JSONObject = ["Regex": .string(pattern)]
    let json = try Fixtures.json(
      "qwen2/tokenizer.json", changing: "pre_tokenizer",
      to: "{\"type\": \"Split\", \"pattern\": \(JSONValue.object(split).serialized()), \"behavior\": \"Isolated\"}")
    let error = #expect(throws: TokenizerError.self) { _ = try Tokenizer(json) }
    let path = "/pre_tokenizer/pattern/Regex"
    if let construct {
      #expect(error == .unsupported(path: path, feature: "\(construct) in a regular expression"))
    } else if case .invalid(path, _) = error {
    } else {
      Issue.record("\(String(describing: error))")
    }
  }

  @Test func textsThatAreNoTokenizerFiles() throws {
    #expect(throws: TokenizerError.wrongKind(path: "", expected: "an object", found: "an array")) {
      _ = try Tokenizer(JSONValue(parsing: "[]"))
    }
    #expect(throws: TokenizerError.missing(path: "/model")) { _ = try Tokenizer(JSONValue(parsing: "{}")) }
    let missing = URL(fileURLWithPath: "/nonexistent/tokenizer.json")
    let error = #expect(throws: TokenizerError.self) { _ = try Tokenizer(contentsOf: missing) }
    guard case .unreadable("/nonexistent/tokenizer.json", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aTruncatedFileIsAnErrorWhereverItEnds() throws {
    let whole = Array(try Fixtures.json("qwen2/tokenizer.json").serialized().utf8)
    let folder = FileManager.default.temporaryDirectory.appending(path: "gptqd-tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "tokenizer.json")
    for length in stride(from: 0, to: whole.count, by: 997) {
      try Data(whole[..<length]).write(to: file)
      let error = #expect(throws: TokenizerError.self) { _ = try Tokenizer(contentsOf: file) }
      guard case .notJSON = error else {
        Issue.record("\(length) bytes: \(String(describing: error))")
        return
      }
    }
  }

  @Test func messagesSayWhatAndWhere() {
    #expect(
      TokenizerError.unsupported(path: "/normalizer/type", feature: "the normalizer \"NFKD\"").description
        == "tokenizer.json: /normalizer/type asks for the normalizer \"NFKD\", which is not supported; "
        + "use a model whose tokenizer does without it")
    #expect(TokenizerError.missing(path: "/model").description == "tokenizer.json has nothing at /model, where a value is required")
  }

  private static func malformedMerge(_ position: Int) -> TokenizerError {
    .invalid(path: "/model/merges/\(position)", reason: "a merge is two tokens, [\"a\", \"b\"] or \"a b\"")
  }

  private func expectError(_ change: Change) throws {
    let json = try Fixtures.json("qwen2/tokenizer.json", changing: change.member, to: change.value)
    #expect(throws: change.error) { _ = try Tokenizer(json) }
  }
}
