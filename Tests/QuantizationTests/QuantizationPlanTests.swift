import Quantization
import Testing

/// GPTQModel's semantics of `dynamic`: `QuantizeConfig.dynamic_get`, after it has put rules with `-:` first.
@Suite struct QuantizationPlanTests {
  private static let modules = [
    "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj", "model.layers.10.mlp.down_proj",
    "lm_head",
  ]

  static func rule(
    _ pattern: String, bits: Int? = nil, groupSize: Int? = nil, isSymmetric: Bool? = nil, ordersByActivation: Bool? = nil,
    searchesScales: Bool? = nil, damping: Double? = nil
  ) -> ModuleRule {
    ModuleRule(
      pattern: pattern, expression: pattern.hasPrefix("-:") || pattern.hasPrefix("+:") ? String(pattern.dropFirst(2)) : pattern,
      leavesAlone: pattern.hasPrefix("-:"), bits: bits, groupSize: groupSize, isSymmetric: isSymmetric,
      ordersByActivation: ordersByActivation, searchesScales: searchesScales, damping: damping)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let rules: [ModuleRule]
    /// Of the modules in their order; nil: left alone.
    let bits: [Int?]
    let testDescription: String

    init(_ description: String, _ rules: [ModuleRule], bits: [Int?]) {
      (testDescription, self.rules, self.bits) = (description, rules, bits)
    }
  }

  @Test(
    arguments: [
      Case("no rules", [], bits: [4, 4, 4, 4, 4]),
      Case("the first match wins", [rule("+:.*down", bits: 8), rule("+:.*layers.0", bits: 3)], bits: [3, 8, 8, 8, 4]),
      Case("rules that leave alone come first", [rule("+:.*down", bits: 8), rule("-:.*layers\\.1\\.")], bits: [4, 8, nil, 8, 4]),
      Case("names are matched from their start", [rule("+:down_proj", bits: 8)], bits: [4, 4, 4, 4, 4]),
      Case("but not to their end", [rule("-:model.layers.1")], bits: [4, 4, nil, nil, 4]),
      Case("no prefix is as good as +:", [rule(".*q_proj", bits: 2)], bits: [2, 4, 4, 4, 4]),
      Case("a rule without options keeps others away", [rule("+:.*\\.0\\."), rule(".*", bits: 8)], bits: [4, 4, 8, 8, 8]),
      Case("lookahead works", [rule("-:^(?!.*down_proj).*$")], bits: [nil, 4, 4, 4, nil]),
    ])
  func resolves(_ example: Case) throws {
    let plan = try QuantizationPlan(QuantizationOptions(), rules: example.rules, modules: Self.modules)
    #expect(Self.modules.map { plan[$0]?.bits } == example.bits)
  }

  @Test("A rule changes what it names and nothing else")
  func changesOptions() throws {
    let rule = Self.rule(
      ".*", bits: 3, groupSize: -1, isSymmetric: false, ordersByActivation: true, searchesScales: false, damping: 0.2)
    let plan = try QuantizationPlan(QuantizationOptions(groupSize: 64), rules: [rule], modules: Self.modules)
    let expected = QuantizationOptions(
      bits: 3, groupSize: nil, isSymmetric: false, ordering: .descendingActivation, damping: 0.2, searchesScales: false)
    #expect(plan["lm_head"] == expected)
  }

  @Test("Turning desc_act off for a module leaves it in the usual order")
  func turnsActivationOrderOff() throws {
    let rule = Self.rule(".*q_proj", ordersByActivation: false)
    let ordered = try QuantizationPlan(QuantizationOptions(ordering: .descendingActivation), rules: [rule], modules: Self.modules)
    #expect(ordered[Self.modules[0]]?.ordering == .groupAware && ordered[Self.modules[1]]?.ordering == .descendingActivation)
    let unordered = try QuantizationPlan(QuantizationOptions(ordering: .none), rules: [rule], modules: Self.modules)
    #expect(unordered[Self.modules[0]]?.ordering == QuantizationOptions.ColumnOrdering.none)
  }

  @Test("Rules that no module comes to are told")
  func findsIdleRules() throws {
    let rules = [Self.rule("+:.*gate"), Self.rule("-:lm_head"), Self.rule("+:lm_head", bits: 8)]
    let plan = try QuantizationPlan(QuantizationOptions(), rules: rules, modules: Self.modules, head: "lm_head")
    #expect(plan.idleRules.map(\.pattern) == ["+:.*gate", "+:lm_head"])
    #expect(!plan.quantizesHead)
  }

  @Test("What is no regular expression, or takes ages, is refused by its pattern", arguments: ["+:(", "-:[a-", "+:(.*)*\\d$", "\\"])
  func refuses(_ pattern: String) throws {
    let name = String(repeating: "a", count: 60)
    let error = try #require(throws: QuantizationError.self) {
      try QuantizationPlan(QuantizationOptions(), rules: [Self.rule(pattern)], modules: [name])
    }
    guard case .invalidRule(let named, let reason) = error else { throw error }
    #expect(named == pattern && !reason.isEmpty)
  }

  /// Patterns that stay just below the limit of one match, at most of a large model's modules.
  @Test(
    "All rules together may take some seconds at most",
    arguments: [
      "(?:\\w*\\W*){1,%}[XYZ]", ".*.*[XYZ]%", "(?:(?=(.*+)(?<=j))(?=(.*+)(?<=j)).?)*[XYZ]{%}", "(?:a|b|c|d|[e-z]|_|\\.|\\d)*[XYZ]{%}",
    ])
  func boundsAllRules(_ pattern: String) throws {
    let modules = (0..<48).flatMap { block in
      (0..<128).map { "model.language_model.layers.\(block).block_sparse_moe.experts.\($0).down_proj" }
    }
    let rules = (1...256).map { Self.rule("+:" + pattern.replacing("%", with: "\($0)"), bits: 8) }
    var messages: [String] = []
    for _ in 0..<2 {
      let start = ContinuousClock.now
      let error = try #require(throws: QuantizationError.self) {
        try QuantizationPlan(QuantizationOptions(), rules: rules, modules: modules)
      }
      let duration = ContinuousClock.now - start
      // Some 0.3 s alone on one core; other tests run beside it.
      #expect(duration < .seconds(20), "measured \(duration)")
      messages.append("\(error)")
    }
    #expect(messages[0] == messages[1])
  }

  @Test("Many sensible rules for many modules are within the limit")
  func allowsManyRules() throws {
    let modules = (0..<48).flatMap { block in (0..<128).map { "model.layers.\(block).mlp.experts.\($0).down_proj" } }
    let rules = (0..<48).map { Self.rule("+:model\\.layers\\.\($0)\\.mlp\\..*", bits: 8) } + [Self.rule("-:.*(q|k|v|o)_proj$")]
    let plan = try QuantizationPlan(QuantizationOptions(), rules: rules, modules: modules)
    #expect(plan[modules[6143]]?.bits == 8)
  }
}
