import StrictJSON
import Transformer

/// Whether inference engines take a checkpoint: what vLLM's Marlin kernels ask for, and what transformers and GPTQModel can read.
///
/// vLLM's rules are those of `gptq_marlin.py` and `marlin_utils.py` (`verify_marlin_supported`, `verify_marlin_supports_shape`,
/// `check_moe_marlin_supports_layer`) at commit 007d500: they see the linears that vLLM fuses, divided among the GPUs of a
/// tensor-parallel group. The others were seen with transformers 5.24, optimum 2.3 (`GPTQQuantizer.convert_model`) and
/// GPTQModel 7.7.
public struct ServingPreflight: Sendable, Hashable {
  /// One demand of the kernels and what the checkpoint has.
  public struct Rule: Sendable, Hashable {
    public let name: String
    public let required: String
    public let found: String
    public let isMet: Bool
  }

  /// What stands against dividing the model among some number of GPUs.
  public struct Division: Sendable, Hashable {
    public let size: Int
    /// Sentences; none: it can be divided so.
    public let obstacles: [String]
  }

  public let rules: [Rule]
  /// For 1, 2, 4 and 8 GPUs.
  public let divisions: [Division]
  /// What keeps transformers from loading the checkpoint; none: it can.
  public let transformersObstacles: [String]
  /// The same of GPTQModel.
  public let gptqModelObstacles: [String]

  private static let bits: Set<Int> = [4, 8]
  private static let groupSizes: Set<Int> = [-1, 32, 64, 128]
  private static let sizes = [1, 2, 4, 8]
  private static let gptqModelGroupSizes: Set<Int> = [-1, 16, 32, 64, 128, 256, 512, 1024]
  /// Families whose modules GPTQModel looks for under other names than checkpoints have, and vLLM wants.
  private static let gptqModelNames = [
    "phi3": "it looks for gate_proj and up_proj, where Phi-3 has gate_up_proj",
    "mixtral": "it looks for mlp.experts.*.gate_proj, where Mixtral has block_sparse_moe.experts.*.w1",
  ]

  /// - Parameter kept: Modules that aren't quantized.
  public init(_ configuration: ModelConfiguration, _ plan: QuantizationPlan, keeping kept: Set<String> = []) {
    let (linears, mixtures) = ServedLinear.all(of: configuration, plan, keeping: kept)
    func values(_ name: String, _ required: String, _ value: (ServedLinear) -> String, _ isMet: (ServedLinear) -> Bool) -> Rule {
      let found = Self.distinct(linears.map(value))
      return Rule(
        name: name, required: required, found: found.isEmpty ? "nothing is quantized" : found.joined(separator: ", "),
        isMet: linears.allSatisfy(isMet))
    }
    func channels(_ name: String, _ required: String, _ count: (ServedLinear) -> Int, _ isMet: (ServedLinear) -> Bool) -> Rule {
      let others = linears.filter { !isMet($0) }
      return Rule(
        name: name, required: required,
        found: others.isEmpty ? "all are" : Self.distinct(others.map { "\($0.name) has \(count($0))" }).joined(separator: ", "),
        isMet: others.isEmpty)
    }
    func multiples(_ divisor: (ServedLinear) -> Int) -> String {
      let divisors = Set(linears.map(divisor)).sorted().map(String.init).joined(separator: " or ")
      return "multiples of \(divisors)"
    }
    rules = [
      values("bits", "4 or 8", { "\($0.settings.bits)" }, { Self.bits.contains($0.settings.bits) }),
      values("sym", "true", { "\($0.settings.isSymmetric)" }, { $0.settings.isSymmetric }),
      values("group_size", "-1, 32, 64 or 128", { "\($0.groupSize)" }, { Self.groupSizes.contains($0.groupSize) }),
      channels("output channels", multiples(\.outputMultiple), \.outputs) { $0.outputs % $0.outputMultiple == 0 },
      channels("input channels", multiples(\.inputMultiple), \.inputs) { $0.inputs % $0.inputMultiple == 0 },
      channels("groups", "input channels are multiples of group_size", \.inputs) { $0.inputs % max(1, $0.groupSize) == 0 },
      Rule(
        name: "fused modules", required: "parts with the same options", found: mixtures.isEmpty ? "all have" : Self.few(mixtures),
        isMet: mixtures.isEmpty),
    ]
    divisions = Self.sizes.map { Division(size: $0, obstacles: Self.obstacles(configuration, linears, dividedBy: $0)) }
    transformersObstacles = Self.transformersObstacles(configuration, plan, linears)
    gptqModelObstacles = Self.gptqModelObstacles(configuration, plan, linears)
  }

  private static func few(_ modules: [String]) -> String {
    modules.prefix(3).joined(separator: ", ") + (modules.count > 3 ? " and \(modules.count - 3) more" : "") + " differ"
  }

  private static func obstacles(_ configuration: ModelConfiguration, _ linears: [ServedLinear], dividedBy size: Int) -> [String] {
    guard configuration.attentionHeads % size == 0 else {
      return ["\(configuration.attentionHeads) attention heads can't be divided by \(size)"]
    }
    let heads = configuration.keyValueHeads
    guard heads % size == 0 || size % heads == 0 else { return ["\(heads) key-value heads can't be divided among \(size)"] }
    return distinct(linears.flatMap { $0.obstacles(dividedBy: size, configuration) })
  }

  private static func distinct(_ texts: [String]) -> [String] {
    texts.reduce(into: []) { distinct, text in if !distinct.contains(text) { distinct.append(text) } }
  }

  private static func transformersObstacles(
    _ configuration: ModelConfiguration, _ plan: QuantizationPlan, _ linears: [ServedLinear]
  ) -> [String] {
    var obstacles: [String] = []
    let base = LoaderSettings(plan.base)
    func differ<Value: Equatable>(_ value: KeyPath<LoaderSettings, Value>) -> Bool {
      linears.contains { $0.settings[keyPath: value] != base[keyPath: value] }
    }
    let fields = [
      ("bits", differ(\.bits)), ("group_size", differ(\.groupSize)), ("sym", differ(\.isSymmetric)),
      ("desc_act", differ(\.ordersByActivation)),
    ].filter(\.1).map(\.0)
    if !fields.isEmpty { obstacles.append("modules differ from the others in \(fields.joined(separator: ", ")), and it reads one choice") }
    if linears.contains(where: { $0.name == configuration.architecture.outputHeadModule }) {
      obstacles.append("it reads no quantized lm_head and runs one of random weights")
    }
    if linears.contains(where: \.isRouted) { obstacles.append("it reads no quantized experts and runs experts of random weights") }
    return obstacles
  }

  private static func gptqModelObstacles(
    _ configuration: ModelConfiguration, _ plan: QuantizationPlan, _ linears: [ServedLinear]
  ) -> [String] {
    var obstacles = [gptqModelNames[configuration.modelType]].compactMap(\.self)
    if let partial = linears.first(where: { $0.inputs % max(1, $0.groupSize) != 0 }) {
      obstacles.append(
        "group_size \(partial.groupSize) doesn't divide the \(partial.inputs) input channels of \(partial.name), whose last group is "
          + "shorter: only its slowest kernels take that")
    }
    if let other = linears.first(where: { !gptqModelGroupSizes.contains($0.groupSize) }) {
      let known = gptqModelGroupSizes.sorted().map(String.init).joined(separator: ", ")
      obstacles.append("group_size \(other.groupSize) is not one of \(known)")
    }
    if plan.base.format == .v1, linears.contains(where: { !$0.settings.isSymmetric }) {
      obstacles.append("it refuses asymmetric checkpoints in format gptq that others made; format gptq_v2 loads")
    }
    return obstacles
  }

  /// The kernels run on one GPU at least.
  public var isMet: Bool { rules.allSatisfy(\.isMet) }

  /// What to tell whoever submits a job.
  public var warnings: [String] {
    let unmet = rules.filter { !$0.isMet }.map { "\($0.name) must be \($0.required) (\($0.found))" }
    return [
      ("vLLM's Marlin kernels won't run this checkpoint, only slower ones, or none: ", unmet),
      ("transformers won't run this checkpoint rightly: ", transformersObstacles),
      ("GPTQModel won't load this checkpoint, or not well: ", gptqModelObstacles),
    ].filter { !$0.1.isEmpty }.map { $0.0 + $0.1.joined(separator: "; ") }
  }

  /// As report.json has it.
  var json: JSONValue {
    .object([
      "vllm_marlin": .object([
        "met": .bool(isMet),
        "rules": .array(
          rules.map { rule in
            .object([
              "name": .string(rule.name), "required": .string(rule.required), "found": .string(rule.found), "met": .bool(rule.isMet),
            ])
          }),
        "tensor_parallel": .array(
          divisions.map { division in
            .object([
              "size": .integer(Int64(division.size)), "met": .bool(isMet && division.obstacles.isEmpty),
              "obstacles": .array(division.obstacles.map(JSONValue.string)),
            ])
          }),
      ]),
      "transformers": Self.json(transformersObstacles),
      "gptqmodel": Self.json(gptqModelObstacles),
    ])
  }

  private static func json(_ obstacles: [String]) -> JSONValue {
    .object(["met": .bool(obstacles.isEmpty), "obstacles": .array(obstacles.map(JSONValue.string))])
  }
}
