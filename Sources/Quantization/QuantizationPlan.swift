import Patterns
import Transformer

/// With which options each module of a model is quantized.
public struct QuantizationPlan: Sendable {
  /// Of modules that no rule is about.
  public let base: QuantizationOptions
  /// As they were given.
  public let rules: [ModuleRule]
  /// The output head is quantized too.
  public let quantizesHead: Bool
  /// Rules that no module comes to.
  public let idleRules: [ModuleRule]
  /// In the order in which they are asked: those that leave modules alone first.
  private let matchers: [Matcher]
  /// Modules that a rule is about.
  private let exceptions: [String: QuantizationOptions?]

  private struct Matcher: Sendable {
    let rule: ModuleRule
    let pattern: CompiledPattern
  }

  /// Backtracking steps that one match may take; module names are short.
  private static let stepLimit: UInt32 = 10_000
  /// What all rules may take for all modules: up to some 2 s. A pattern such as `.*(q|k|v|o)_proj$` takes 200 for a name.
  private static let budget = 20_000_000
  /// What all rules may take for one other name.
  private static let budgetOfName = 200_000

  /// The same for all modules.
  public init(_ options: QuantizationOptions) {
    base = options
    (rules, quantizesHead, idleRules, matchers, exceptions) = ([], false, [], [], [:])
  }

  /// - Parameters:
  ///   - modules: Names of all that may be quantized, the output head among them where it is asked for.
  ///   - head: Name of the output head, where it is asked for.
  /// - Throws: `QuantizationError.invalidRule`.
  public init(_ base: QuantizationOptions, rules: [ModuleRule], modules: [String], head: String? = nil) throws(QuantizationError) {
    self.base = base
    self.rules = rules
    var matchers: [Matcher] = []
    for rule in rules.filter(\.leavesAlone) + rules.filter({ !$0.leavesAlone }) {
      do {
        let pattern = try CompiledPattern(rule.expression, options: [.anchored, .counted], stepLimit: Self.stepLimit)
        matchers.append(Matcher(rule: rule, pattern: pattern))
      } catch {
        throw .invalidRule(rule.pattern, reason: "is not a regular expression: \(error)")
      }
    }
    var exceptions: [String: QuantizationOptions?] = [:]
    var used: Set<String> = []
    let budget = try Self.budget(Self.budget)
    for module in matchers.isEmpty ? [] : modules {
      guard let rule = try Self.rule(for: module, among: matchers, within: budget) else { continue }
      used.insert(rule.pattern)
      exceptions[module] = .some(rule.options(from: base))
    }
    self.matchers = matchers
    self.exceptions = exceptions
    idleRules = rules.filter { !used.contains($0.pattern) }
    quantizesHead = head.map { exceptions[$0] != .some(nil) } ?? false
  }

  /// What one of the modules is quantized with; nil: it stays in the source's precision.
  public subscript(module: String) -> QuantizationOptions? { exceptions[module] ?? base }

  /// What the rules say of any name, such as those under which loaders join modules.
  ///
  /// - Throws: `QuantizationError.invalidRule` where a match takes too long.
  func options(forName name: String) throws(QuantizationError) -> QuantizationOptions? {
    guard let rule = try Self.rule(for: name, among: matchers, within: Self.budget(Self.budgetOfName)) else { return base }
    return rule.options(from: base)
  }

  private static func budget(_ items: Int) throws(QuantizationError) -> MatchBudget {
    do {
      return try MatchBudget(items: items)
    } catch {
      throw .invalidRule("", reason: "can't be matched: \(error)")
    }
  }

  private static func rule(
    for name: String, among matchers: [Matcher], within budget: MatchBudget
  ) throws(QuantizationError) -> ModuleRule? {
    for matcher in matchers {
      do {
        if try matcher.pattern.matches(name, within: budget) { return matcher.rule }
      } catch PatternError.exhausted {
        throw .invalidRule(
          matcher.rule.pattern,
          reason: "is where all rules together have taken more steps than they may, at \(name); use fewer rules, or such as begin with "
            + "what names begin with instead of .*")
      } catch {
        throw .invalidRule(matcher.rule.pattern, reason: "takes too long to match \(name): \(error)")
      }
    }
    return nil
  }
}

extension QuantizationPlan {
  func quantizes(_ layer: LinearLayer) -> Bool { self[layer.name] != nil }

  /// The linears of a stage that are quantized, by the input that they read.
  func groups(of stage: BlockStage, ofBlock block: Int, in configuration: ModelConfiguration) -> [[LinearLayer]] {
    configuration.inputGroups(of: stage, ofBlock: block).map { $0.filter(quantizes) }.filter { !$0.isEmpty }
  }

  /// Linears of one input by what their factorisation depends on.
  func factorings(of layers: [LinearLayer]) -> [[LinearLayer]] {
    struct Key: Hashable {
      let ordering: QuantizationOptions.ColumnOrdering
      let groupSize: Int?
      let damping: Double
    }
    var keys: [Key] = []
    var parts: [Key: [LinearLayer]] = [:]
    for layer in layers {
      guard let options = self[layer.name] else { continue }
      let key = Key(ordering: options.ordering, groupSize: options.groupSize, damping: options.damping)
      if parts[key] == nil { keys.append(key) }
      parts[key, default: []].append(layer)
    }
    return keys.compactMap { parts[$0] }
  }
}
