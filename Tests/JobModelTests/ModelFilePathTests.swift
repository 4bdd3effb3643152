import JobModel
import Testing

@Suite struct ModelFilePathTests {
  @Test(arguments: [
    "config.json", "model-00001-of-00002.safetensors", "a/b/c/d/e/f/g/h", "tokenizer/vocab.txt", "A_b-c.D", "x..y", "x.", "-", "_",
    String(repeating: "x", count: 96),
  ])
  func aPathIsTaken(text: String) throws {
    let path = try ModelFilePath(text)
    #expect(path.description == text)
    #expect(path.segments == text.split(separator: "/").map { String($0) })
  }

  @Test(arguments: [
    "", "/", "/config.json", "config.json/", "a//b", ".", "..", "../x", "a/..", "a/../b", "a/./b", ".hidden", "a/.hidden", ".git/config",
    "a/b/c/d/e/f/g/h/i", "a b", "a\\b", "a:b", "a\u{0}b", "a\nb", "ä", "a%2Fb", "a*", "~", "a/~/b", "\u{202E}x", "x\u{301}", "🐟",
    String(repeating: "x", count: 97), String(repeating: "a/", count: 1000),
  ])
  func anotherIsRefused(text: String) {
    let problem = #expect(throws: Problem.self) { try ModelFilePath(text) }
    #expect(problem?.status == 400)
    #expect((problem?.detail.count ?? .max) < 300)
  }
}
