import Testing
import gptqd_bench

@Suite struct GoalTests {
  @Test(
    "A goal is met at its limit and on its good side",
    arguments: [
      (1.9, Goal.Bound.atMost, true), (2, .atMost, true), (2.1, .atMost, false), (.nan, .atMost, false), (1.9, .atLeast, false),
      (2, .atLeast, true), (2.1, .atLeast, true), (.nan, .atLeast, false),
    ])
  func limits(_ value: Double, _ bound: Goal.Bound, _ isMet: Bool) {
    #expect(Goal("g", value, bound, 2).isMet == isMet)
  }
}
