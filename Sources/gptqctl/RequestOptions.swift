import ArgumentParser
import JobModel
import StrictJSON

/// A new job's request, field by field.
package struct RequestOptions: ParsableArguments {
  @Option(
    help: "model, or layers: MODEL is a .safetensors file with weight and hessian (or inputs) of single layers.",
    completion: .choice(of: JobRequest.Kind.self)) var kind: String?
  @Option(help: "gptq or rtn (round to nearest).", completion: .choice(of: QuantizationRequest.Method.self)) var method: String?
  @Option(help: "2, 3, 4 or 8.", completion: .list(["2", "3", "4", "8"])) var bits: Int?
  @Option(parsing: .unconditional, help: "Input channels that share a scale; -1: all.") var groupSize: Int?
  @Flag(inversion: .prefixedNo, help: "Grids centred on 0.") var sym: Bool?
  @Flag(inversion: .prefixedNo, help: "Columns by falling activation.") var descAct: Bool?
  @Flag(inversion: .prefixedNo, help: "Columns by falling activation within contiguous groups.") var actGroupAware: Bool?
  @Option(help: "gptq (v1) or gptq_v2.", completion: .choice(of: QuantizationRequest.Format.self)) var format: String?
  @Flag(inversion: .prefixedNo, help: "Search each group's scale for the least weighted error.") var mse: Bool?
  @Flag(inversion: .prefixedNo, help: "Adjust the scales once the codes are fixed.") var scaleRefinement: Bool?
  @Option(help: "Part of the earlier layers' output error that is compensated, 0 to 1.") var errorCompensation: Double?
  @Flag(inversion: .prefixedNo, help: "Quantize the output head too.") var lmHead: Bool?
  @Option(
    help: ArgumentHelp(
      "What is different for some modules, as JSON: {\"-:REGEX\": {}, \"+:REGEX\": {\"bits\": 8}}. -: leaves modules in 16 bits.",
      valueName: "json"), transform: Self.json)
  var dynamic: JSONValue?
  @OptionGroup var recovery: RecoveryOptions
  @Option(help: "Dataset whose activations the Hessians are made of.", completion: .datasets) var calibration: String?
  @Option(help: "Calibration sequences.") var samples: Int?
  @Option(help: "Tokens of a calibration sequence.") var sequenceLength: Int?
  @Option(help: "Chooses the calibration sequences.") var seed: Int?
  @Option(help: "Dataset on which perplexity is measured before and after.", completion: .datasets) var evaluation: String?
  @Option(help: "Evaluation sequences.") var evaluationSamples: Int?
  @Option(help: "Tokens of an evaluation sequence.") var evaluationLength: Int?
  @Option(help: "Higher runs first.") var priority: Int?
  @OptionGroup var cluster: ClusterOptions

  package init() {}

  /// What was given; the model isn't among it.
  package var request: JSONObject {
    var request = recovery.request
    var quantization = JSONObject(given: [
      ("method", method.map(JSONValue.string)), ("bits", Self.integer(bits)), ("group_size", Self.integer(groupSize)),
      ("sym", sym.map(JSONValue.bool)), ("desc_act", descAct.map(JSONValue.bool)), ("act_group_aware", actGroupAware.map(JSONValue.bool)),
      ("format", format.map(JSONValue.string)), ("mse", mse.map(JSONValue.bool)),
      ("scale_refinement", scaleRefinement.map(JSONValue.bool)), ("error_compensation", errorCompensation.map(JSONValue.number)),
      ("lm_head", lmHead.map(JSONValue.bool)), ("dynamic", dynamic),
    ])
    for (key, value) in request["quantization"]?.objectValue?.members.map({ $0 }) ?? [] { quantization[key] = value }
    let calibration = JSONObject(given: [
      ("dataset", calibration.map(JSONValue.string)), ("samples", Self.integer(samples)),
      ("sequence_length", Self.integer(sequenceLength)), ("seed", Self.integer(seed)),
    ])
    let evaluation = JSONObject(given: [
      ("dataset", evaluation.map(JSONValue.string)), ("samples", Self.integer(evaluationSamples)),
      ("sequence_length", Self.integer(evaluationLength)),
    ])
    request["kind"] = kind.map(JSONValue.string)
    request["quantization"] = quantization.valueIfAny
    request["calibration"] = calibration.valueIfAny
    request["evaluation"] = evaluation.valueIfAny
    request["priority"] = Self.integer(priority)
    for (key, value) in cluster.request.members { request[key] = value }
    return request
  }

  private static func json(_ text: String) throws -> JSONValue {
    do {
      return try JSONValue(parsing: Array(text.utf8))
    } catch {
      throw ValidationError("is not JSON: \(error)")
    }
  }

  private static func integer(_ value: Int?) -> JSONValue? { value.map { .integer(Int64($0)) } }
}
