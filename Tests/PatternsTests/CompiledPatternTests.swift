import Patterns
import Testing

@Suite struct CompiledPatternTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let pattern: String
    let text: String
    let options: CompiledPattern.Options
    let matches: Bool
    var testDescription: String { "\(pattern) in \(text)" }

    init(_ pattern: String, _ text: String, _ options: CompiledPattern.Options = [], matches: Bool) {
      (self.pattern, self.text, self.options, self.matches) = (pattern, text, options, matches)
    }
  }

  @Test(
    "Matches are those of the options",
    arguments: [
      Case("down", "mlp.down_proj", matches: true),
      Case("down", "mlp.down_proj", .anchored, matches: false),
      Case(".*down", "mlp.down_proj", .anchored, matches: true),
      Case("mlp", "mlp.down_proj", .anchored, matches: true),
      Case("mlp$", "mlp.down_proj", .anchored, matches: false),
      Case("a.c", "abc", .literal, matches: false),
      Case("a.c", "xa.c", .literal, matches: true),
      Case(#"layers\.(?:1|3)\."#, "layers.3.mlp", matches: true),
      Case(#"^layers\.(?!0\.)\d+"#, "layers.0.mlp", matches: false),
      Case(#"\d"#, "٣", matches: false),
      Case(#"\d"#, "٣", .unicodeClasses, matches: true),
      Case("é.", "é😀", .anchored, matches: true),
    ])
  func matches(_ example: Case) throws {
    let pattern = try CompiledPattern(example.pattern, options: example.options, stepLimit: 1000)
    #expect(try pattern.matches(example.text) == example.matches)
  }

  @Test(
    "What is no regular expression is refused, with the place",
    arguments: [
      ("(", 1), ("[a", 2), ("a{2,1}", 5), ("*a", 0), (#"\"#, 1), (#"\C"#, 2), ("(?<n>a)(?<n>b)", 12), (#"(?<=a*)b"#, 0),
      (String(repeating: "(", count: 400) + String(repeating: ")", count: 400), nil),
      ("(?:a{0,65535}){0,65535}{0,65535}", nil),
    ] as [(String, Int?)])
  func refuses(_ pattern: String, _ offset: Int?) throws {
    let error = try #require(throws: PatternError.self) { try CompiledPattern(pattern, stepLimit: 1000) }
    guard case .invalid(let reason, let found) = error else { throw error }
    #expect(!reason.isEmpty)
    if let offset { #expect(found == offset) }
  }

  @Test("A pattern that would take ages ends at its limit of steps", arguments: ["(a+)+$", "(a|aa)+$", #"(.*)*\d$"#])
  func limitsSteps(_ expression: String) throws {
    let pattern = try CompiledPattern(expression, stepLimit: 100_000)
    #expect(throws: PatternError.self) { try pattern.matches(String(repeating: "a", count: 60) + "b") }
  }
}
