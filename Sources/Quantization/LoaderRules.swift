import StrictJSON
import Transformer

/// The `dynamic` of a checkpoint: what GPTQModel and vLLM have to know of modules that aren't like the others.
///
/// It is the job's own rules, preceded by rules with whole names: of modules that stay in the source's precision though no rule
/// asked for it, and of names under which loaders join modules, which the job's rules may not match.
struct LoaderRules {
  private struct Exact: Hashable {
    /// The name with its block's number left out.
    let prefix: String
    let suffix: String
    /// nil: not quantized.
    let settings: LoaderSettings?
  }

  /// In the order in which they were found; the blocks of each, nil: the name has none.
  private var exact: [(rule: Exact, blocks: [Int?])] = []
  private let plan: QuantizationPlan
  private let blockCount: Int

  /// - Parameter kept: Modules that aren't quantized.
  /// - Throws: `QuantizationError.invalidRule`.
  init(_ plan: QuantizationPlan, keeping kept: [String]) throws(QuantizationError) {
    self.plan = plan
    blockCount = 0
    for module in kept { try add(module, block: nil, prefix: module, settings: nil) }
  }

  /// - Parameter kept: Linears that aren't quantized.
  /// - Throws: `QuantizationError.invalidRule`.
  init(_ plan: QuantizationPlan, of configuration: ModelConfiguration, keeping kept: Set<String>) throws(QuantizationError) {
    self.plan = plan
    blockCount = configuration.blockCount
    for block in 0..<configuration.blockCount {
      let prefix = configuration.architecture.blockPrefix(block)
      // What decides which experts compute a token is never quantized, which not every loader knows by itself.
      for gate in configuration.gates(ofBlock: block) { try add(gate, block: block, prefix: prefix, settings: nil) }
      for layer in configuration.linears(ofBlock: block) where kept.contains(layer.name) {
        try add(layer.name, block: block, prefix: prefix, settings: nil)
      }
      for fused in FusedModules.all(ofBlock: block, in: configuration) {
        let settings = Set(fused.parts.map { kept.contains($0.name) ? nil : plan[$0.name].map(LoaderSettings.init) })
        guard settings.count == 1, let common = settings.first else { continue }
        try add(fused.name, block: block, prefix: prefix, settings: common)
      }
    }
  }

  /// - Parameter prefix: Of all names of the block.
  private mutating func add(_ name: String, block: Int?, prefix: String, settings: LoaderSettings?) throws(QuantizationError) {
    guard try plan.options(forName: name).map(LoaderSettings.init) != settings else { return }
    let suffix = block == nil ? "" : String(name.dropFirst(prefix.count))
    let rule = Exact(prefix: block == nil ? name : Self.withoutNumber(prefix), suffix: suffix, settings: settings)
    if let index = exact.firstIndex(where: { $0.rule == rule }) {
      exact[index].blocks.append(block)
    } else {
      exact.append((rule, [block]))
    }
  }

  /// `model.layers.3.` without its end.
  private static func withoutNumber(_ prefix: String) -> String {
    prefix.split(separator: ".").dropLast().joined(separator: ".") + "."
  }

  private static func escaped(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "\\.")
  }

  private func expression(_ rule: Exact, _ blocks: [Int?]) -> String {
    let numbers = blocks.compactMap(\.self)
    guard !numbers.isEmpty else { return "^" + Self.escaped(rule.prefix) + "$" }
    let number = numbers.count == blockCount ? "\\d+" : "(?:" + numbers.map(String.init).joined(separator: "|") + ")"
    return "^" + Self.escaped(rule.prefix) + number + "\\." + Self.escaped(rule.suffix) + "$"
  }

  /// What `dynamic` holds; empty where all modules are alike.
  var json: JSONObject {
    var rules = JSONObject()
    for (rule, blocks) in exact {
      rules[(rule.settings == nil ? "-:" : "+:") + expression(rule, blocks)] = .object(rule.settings.map(fields) ?? [:])
    }
    for rule in plan.rules.filter(\.leavesAlone) + plan.rules.filter({ !$0.leavesAlone }) {
      rules[rule.pattern] = .object(rule.options(from: plan.base).map { fields(LoaderSettings($0)) } ?? [:])
    }
    return rules
  }

  /// Where they differ from those of the other modules.
  private func fields(_ settings: LoaderSettings) -> JSONObject {
    let base = LoaderSettings(plan.base)
    var fields = JSONObject()
    if settings.bits != base.bits { fields["bits"] = .integer(Int64(settings.bits)) }
    if settings.groupSize != base.groupSize { fields["group_size"] = .integer(Int64(settings.groupSize)) }
    if settings.isSymmetric != base.isSymmetric { fields["sym"] = .bool(settings.isSymmetric) }
    if settings.ordersByActivation != base.ordersByActivation { fields["desc_act"] = .bool(settings.ordersByActivation) }
    return fields
  }
}
