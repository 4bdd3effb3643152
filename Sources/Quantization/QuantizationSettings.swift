import StrictJSON
import Transformer

/// A quantization as vLLM, transformers and GPTQModel read it from a checkpoint.
///
/// Field names: GPTQModel 7 `QuantizeConfig`, transformers `GPTQConfig`, vLLM `GPTQConfig.from_config`.
struct QuantizationSettings {
  private let plan: QuantizationPlan
  private let dynamic: JSONObject
  /// nil: all linears of all blocks are quantized, or a loader that asks for a list can't load them anyway.
  private let modules: [String]?
  private let quantizesHead: Bool

  /// Version of the engine, part of every artifact.
  static let quantizer = "gptqd:0.1.0"

  /// Of single layers.
  ///
  /// - Parameter kept: Modules that aren't quantized.
  init(_ plan: QuantizationPlan, keeping kept: [String]) throws(QuantizationError) {
    self.plan = plan
    dynamic = try LoaderRules(plan, keeping: kept).json
    modules = nil
    quantizesHead = false
  }

  /// - Parameter kept: Modules that aren't quantized, the output head perhaps among them.
  init(_ plan: QuantizationPlan, of configuration: ModelConfiguration, keeping kept: Set<String>) throws(QuantizationError) {
    self.plan = plan
    dynamic = try LoaderRules(plan, of: configuration, keeping: kept).json
    let head = configuration.architecture.outputHeadModule
    quantizesHead = plan.quantizesHead && !kept.contains(head)
    let quantizesAll = kept.subtracting([head]).isEmpty
    modules =
      quantizesAll || configuration.experts != nil ? nil : Self.modules(of: configuration, without: kept) + (quantizesHead ? [head] : [])
  }

  /// transformers (optimum's `GPTQQuantizer`) knows no patterns, but quantizes only modules whose names end in one of these.
  private static func modules(of configuration: ModelConfiguration, without kept: Set<String>) -> [String] {
    func suffix(_ layer: LinearLayer) -> String { String(layer.name.dropFirst(configuration.architecture.blockPrefix(layer.block).count)) }
    let linears = configuration.linears
    let keptSuffixes = Set(linears.filter { kept.contains($0.name) }.map(suffix))
    var modules: [String] = []
    for layer in linears where !kept.contains(layer.name) {
      let name = keptSuffixes.contains(suffix(layer)) ? layer.name : suffix(layer)
      if !modules.contains(name) { modules.append(name) }
    }
    return modules
  }

  private var fields: JSONObject {
    let options = plan.base
    var fields: JSONObject = [
      "bits": .integer(Int64(options.bits)),
      "group_size": .integer(Int64(options.groupSize ?? -1)),
      "desc_act": .bool(options.ordering == .descendingActivation),
      "sym": .bool(options.isSymmetric),
      "lm_head": .bool(quantizesHead),
      "quant_method": .string("gptq"),
      "checkpoint_format": .string(options.format.rawValue),
      "pack_dtype": .string("int32"),
      "damp_percent": .number(options.damping),
      "true_sequential": .bool(true),
      "static_groups": .bool(false),
      "meta": .object([
        "quantizer": .array([.string(Self.quantizer)]),
        "method": .string(options.method.rawValue),
        "act_group_aware": .bool(options.ordering == .groupAware),
        "mse": .bool(options.searchesScales),
        "scale_refinement": .bool(options.refinesScales),
        "error_compensation": .number(options.errorCompensation),
      ]),
    ]
    if !dynamic.isEmpty { fields["dynamic"] = .object(dynamic) }
    if let modules { fields["modules_in_block_to_quantize"] = .array([.array(modules.map(JSONValue.string))]) }
    return fields
  }

  /// `quantization_config` of config.json.
  var configurationValue: JSONValue { .object(fields) }

  /// quantize_config.json.
  var quantizeConfigValue: JSONValue {
    var fields = fields
    fields["model_file_base_name"] = .string("model")
    return .object(fields)
  }
}
