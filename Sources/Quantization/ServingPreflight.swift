import StrictJSON
import Transformer

/// Whether a checkpoint meets what vLLM's Marlin kernels ask for.
///
/// The rules are those of vLLM's `gptq_marlin.py` and `marlin_utils.py` (`verify_marlin_supported`, `verify_marlin_supports_shape`)
/// at commit 007d500: they see the linears that vLLM fuses, divided among the GPUs of a tensor-parallel group.
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

  private static let bits = [4, 8]
  private static let groupSizes = [-1, 32, 64, 128]
  fileprivate static let outputMultiple = 64
  fileprivate static let inputMultiple = 128
  private static let sizes = [1, 2, 4, 8]

  public init(_ configuration: ModelConfiguration, options: QuantizationOptions) {
    let groupSize = options.groupSize ?? -1
    let linears = FusedLinear.all(of: configuration)
    func multiples(of divisor: Int, _ size: (FusedLinear) -> Int) -> (found: String, isMet: Bool) {
      let others = linears.filter { size($0) % divisor != 0 }
      return (
        others.isEmpty ? "all are" : others.map { "\($0.name) has \(size($0))" }.joined(separator: ", "), others.isEmpty
      )
    }
    let outputs = multiples(of: Self.outputMultiple, \.outputs)
    let inputs = multiples(of: Self.inputMultiple, \.inputs)
    let groups = multiples(of: max(1, groupSize), \.inputs)
    rules = [
      Rule(name: "bits", required: "4 or 8", found: "\(options.bits)", isMet: Self.bits.contains(options.bits)),
      Rule(name: "sym", required: "true", found: "\(options.isSymmetric)", isMet: options.isSymmetric),
      Rule(name: "group_size", required: "-1, 32, 64 or 128", found: "\(groupSize)", isMet: Self.groupSizes.contains(groupSize)),
      Rule(
        name: "output channels", required: "multiples of \(Self.outputMultiple)", found: outputs.found, isMet: outputs.isMet),
      Rule(name: "input channels", required: "multiples of \(Self.inputMultiple)", found: inputs.found, isMet: inputs.isMet),
      Rule(name: "groups", required: "input channels are multiples of group_size", found: groups.found, isMet: groups.isMet),
    ]
    divisions = Self.sizes.map { size in
      Division(size: size, obstacles: Self.obstacles(configuration, linears, groupSize: groupSize, dividedBy: size))
    }
  }

  private static func obstacles(
    _ configuration: ModelConfiguration, _ linears: [FusedLinear], groupSize: Int, dividedBy size: Int
  ) -> [String] {
    guard configuration.attentionHeads % size == 0 else {
      return ["\(configuration.attentionHeads) attention heads can't be divided by \(size)"]
    }
    let heads = configuration.keyValueHeads
    guard heads % size == 0 || size % heads == 0 else { return ["\(heads) key-value heads can't be divided among \(size)"] }
    return linears.flatMap { $0.obstacles(groupSize: groupSize, dividedBy: size, configuration) }
  }

  /// The kernels run on one GPU at least.
  public var isMet: Bool { rules.allSatisfy(\.isMet) }

  /// What to tell whoever submits a job; nil where there is nothing to tell.
  public var warning: String? {
    let unmet = rules.filter { !$0.isMet }
    guard !unmet.isEmpty else { return nil }
    let reasons = unmet.map { "\($0.name) must be \($0.required) (\($0.found))" }.joined(separator: "; ")
    return "vLLM's Marlin kernels won't run this checkpoint, only slower ones, or none: " + reasons
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
      ])
    ])
  }
}

/// A linear as vLLM computes it: query, key and value at once, and gate and up.
private struct FusedLinear {
  let name: String
  let outputs: Int
  let inputs: Int
  /// Its inputs are divided among GPUs; else its outputs are.
  let dividesInputs: Bool

  static func all(of configuration: ModelConfiguration) -> [FusedLinear] {
    let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
    return [
      FusedLinear(
        name: "qkv_proj", outputs: configuration.queryChannels + 2 * configuration.keyChannels, inputs: hidden, dividesInputs: false),
      FusedLinear(name: "o_proj", outputs: hidden, inputs: configuration.queryChannels, dividesInputs: true),
      FusedLinear(name: "gate_up_proj", outputs: 2 * inner, inputs: hidden, dividesInputs: false),
      FusedLinear(name: "down_proj", outputs: hidden, inputs: inner, dividesInputs: true),
    ]
  }

  func obstacles(groupSize: Int, dividedBy size: Int, _ configuration: ModelConfiguration) -> [String] {
    guard (dividesInputs ? inputs : outputs) % size == 0 else { return ["\(name) can't be divided by \(size)"] }
    var partOutputs = dividesInputs ? outputs : outputs / size
    let partInputs = dividesInputs ? inputs / size : inputs
    if name == "qkv_proj", size > configuration.keyValueHeads {
      // Key and value heads are repeated on several GPUs.
      partOutputs = configuration.queryChannels / size + 2 * configuration.headSize
    }
    func obstacle(_ count: Int, _ channels: String, _ divisor: Int, _ divisorName: String = "") -> String? {
      guard count % divisor != 0 else { return nil }
      return "\(name) has \(count) \(channels) channels on each GPU, not a multiple of \(divisorName)\(divisor)"
    }
    return [
      obstacle(partOutputs, "output", ServingPreflight.outputMultiple), obstacle(partInputs, "input", ServingPreflight.inputMultiple),
      groupSize > 0 && groupSize < inputs ? obstacle(partInputs, "input", groupSize, "group_size ") : nil,
    ].compactMap { $0 }
  }
}
