import StrictJSON

/// A quantization as vLLM, transformers and GPTQModel read it from a checkpoint.
///
/// Field names: GPTQModel 7 `QuantizeConfig`, transformers `GPTQConfig`, vLLM `GPTQConfig.from_config`.
struct QuantizationSettings {
  private let options: QuantizationOptions

  /// Version of the engine, part of every artifact.
  static let quantizer = "gptqd:0.1.0"

  init(_ options: QuantizationOptions) { self.options = options }

  private var fields: JSONObject {
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
