import Patterns
import Testing

@Suite struct MatchBudgetTests {
  private func matches(_ expression: String, _ texts: [String], items: Int) throws -> [Bool] {
    let pattern = try CompiledPattern(expression, options: [.anchored, .counted], stepLimit: 10_000)
    let budget = try MatchBudget(items: items)
    return try texts.map { try pattern.matches($0, within: budget) }
  }

  @Test("Within a budget, matches are as without one")
  func matches() throws {
    #expect(try matches(".*(?:q|k)_proj$", ["a.q_proj", "a.v_proj", "k_proj", "k_projx"], items: 1000) == [true, false, true, false])
  }

  @Test("Matches together end where the budget does, at the same place every time", arguments: [".*(?:q|k)_proj$", "z", "(?:a|aa)*b$"])
  func isUsedUp(_ expression: String) throws {
    let pattern = try CompiledPattern(expression, options: [.anchored, .counted], stepLimit: 10_000)
    let counts = try (0..<2).map { _ in
      let budget = try MatchBudget(items: 5000)
      var count = 0
      #expect(throws: PatternError.exhausted) {
        while count < 100_000 {
          _ = try pattern.matches("aaaaaa.layers", within: budget)
          count += 1
        }
      }
      return count
    }
    #expect(counts[0] == counts[1] && counts[0] > 1)
  }

  @Test("A single match still has its limit of steps")
  func limitsSteps() throws {
    let error = try #require(throws: PatternError.self) {
      try matches("(?:a|aa)+$", [String(repeating: "a", count: 60) + "b"], items: .max)
    }
    guard case .failed = error else { throw error }
  }
}
