import StrictJSON
import Transformer

/// A quantization as vLLM, transformers and GPTQModel read it from a checkpoint.
///
/// Field names: GPTQModel 7 `QuantizeConfig`, transformers `GPTQConfig`, vLLM `GPTQConfig.from_config`.
struct QuantizationSettings {
  private let options: QuantizationOptions
  private let kept: [LinearLayer]

  /// Version of the engine, part of every artifact.
  static let quantizer = "gptqd:0.1.0"

  /// - Parameter kept: Layers that aren't quantized.
  init(_ options: QuantizationOptions, keeping kept: [LinearLayer] = []) {
    self.options = options
    self.kept = kept
  }

  /// Patterns of modules that loaders leave alone (GPTQModel's `dynamic`, read by vLLM too), which fuse some of them first.
  private var dynamic: JSONObject {
    var patterns = JSONObject()
    for layer in kept {
      let fused =
        switch layer.role {
        case .query, .key, .value: "qkv_proj"
        case .gate, .up: "gate_up_proj"
        case .queryKeyValue, .gateUp, .attentionOutput, .down: ""
        }
      let parts = layer.name.split(separator: ".").map(String.init)
      let prefix = parts.dropLast().joined(separator: "\\.")
      let names = [parts.last ?? "", fused].filter { !$0.isEmpty }.joined(separator: "|")
      patterns["-:^" + prefix + "\\.(" + names + ")$"] = .object([:])
    }
    return patterns
  }

  private var fields: JSONObject {
    var fields = commonFields
    if !kept.isEmpty { fields["dynamic"] = .object(dynamic) }
    return fields
  }

  private var commonFields: JSONObject {
    [
      "bits": .integer(Int64(options.bits)),
      "group_size": .integer(Int64(options.groupSize ?? -1)),
      "desc_act": .bool(options.ordering == .descendingActivation),
      "sym": .bool(options.isSymmetric),
      "lm_head": .bool(false),
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
