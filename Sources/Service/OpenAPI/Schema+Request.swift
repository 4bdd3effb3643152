import JobModel
import StrictJSON

/// What `JobRequest.init(parsing:)` and `RetryRequest.init(parsing:)` take.
extension Schema {
  static let submission = object([
    .optional("kind", choice(of: JobRequest.Kind.self).orNull.withDefault("model"), "`layers`: `model` is a file of single layers."),
    .required(
      "model", any(of: [name, hubModel]),
      "A model that was uploaded or is below `models.roots`, a `.safetensors` file there for the kind `layers`, or a repository of the Hub."
    ),
    .optional("quantization", quantization.orNull), .optional("damping", damping.orNull), .optional("recovery", recovery.orNull),
    .optional("moe", mixture.orNull), .optional("calibration", calibration.orNull), .optional("evaluation", evaluation.orNull),
    .optional("webhook", webhook.orNull, "Who is told of the job's end; the host must be one of `webhooks.allowed_hosts`."),
    .optional("priority", integer(-1000...1000).orNull.withDefault(0), "Higher runs first."),
    .optional("slurm", slurm.orNull, "What the job needs of a cluster; only where `compute.executor` is `slurm`."),
    .optional("nodes", integer(1...1024).orNull.withDefault(1), "That compute it together; at most `slurm.max_nodes`."),
  ])
  .described("`escalate_samples` must rise, and no two rules of `dynamic` may have one pattern: a schema can't say either.")
  .with("if", members(["kind": constant("layers")], required: ["kind"]).json)
  .with("then", ofLayers.json)
  .with("else", ofModel.json)

  static let retry = object([
    .optional("quantization", object([.optional("damp_percent", fraction.orNull)]).orNull),
    .optional("damping", object([.optional("start", choice(of: DampingRequest.Start.self).orNull)]).orNull),
    .optional(
      "recovery",
      object([
        .optional("escalate_samples", escalation.orNull), .optional("on_exhausted", choice(of: RecoveryRequest.Exhausted.self).orNull),
      ]).orNull),
    .optional("moe", object([.optional("starved", choice(of: MixtureRequest.Starved.self).orNull)]).orNull),
    .optional("slurm", slurm.orNull), .optional("nodes", integer(1...1024).orNull),
  ])

  /// Absent: the server's default.
  private static let slurm = object([
    .optional("partition", text(pattern: "^[A-Za-z0-9._][A-Za-z0-9._-]*$", characters: 1...96).with("not", ["enum": [".", ".."]]).orNull),
    .optional("cpus", integer(1...4096).orNull, "Of each node."),
    .optional(
      "memory",
      text(
        pattern: "^(?=.*[1-9])([0-9]{1,18}|[0-9]{1,15}[kK][iI][bB]|[0-9]{1,12}[mM][iI][bB]|[0-9]{1,9}[gG][iI][bB]|[0-9]{1,6}[tT][iI][bB])$"
      ).orNull, "Of each node, such as `64GiB`."),
    .optional(
      "time", text(pattern: "^(?=.*[1-9])([0-9]{1,3}-)?[0-9]{1,4}(:[0-9]{1,4}){0,2}$").orNull,
      "Of an attempt, as Slurm writes it: `90` (minutes), `12:00:00`, `2-12:00:00`."),
    .optional(
      "constraint", text(pattern: "^[A-Za-z0-9._&|*,\\[\\]()][A-Za-z0-9._&|*,\\[\\]()-]*$", characters: 1...256).orNull,
      "Features of its nodes."),
  ])

  /// Files of layers bring their own Hessians.
  private static let ofLayers = members([
    "model": name, "moe": null, "calibration": null, "evaluation": null, "nodes": Schema(["enum": [1, .null]]),
    "quantization": members(["lm_head": Schema(["enum": [false, .null]]), "error_compensation": Schema(["enum": [0, .null]])]),
    "recovery": members(["escalate_samples": Schema(["maxItems": 0])]),
  ])

  /// Only rounding to nearest needs no calibration.
  private static let ofModel = Schema([
    "if": members(
      ["quantization": members(["method": constant("rtn")], required: ["method"]).with("type", "object")], required: ["quantization"]
    ).json,
    "else": members(["calibration": Schema(["type": "object"])], required: ["calibration"]).json,
  ])

  static let name = text(pattern: "^[A-Za-z0-9._-]+$", characters: 1...96).with("not", ["enum": [".", ".."]])
  private static let hubModel = object([
    .required("hub", text(pattern: #"^(?!\.{1,2}/)[A-Za-z0-9._-]{1,96}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,96}$"#), "`org/name`."),
    .optional(
      "revision",
      text(pattern: #"^(?![.-])(?!.*\.\.)(?!.*/\.)[A-Za-z0-9._-]{1,96}(/[A-Za-z0-9._-]{1,96})*$"#, characters: 1...255).orNull
        .withDefault("main"), "A branch, tag or commit."),
    .optional("commit", text(pattern: "^[0-9a-f]{40}$").orNull, "What the revision must stand for."),
  ])

  /// Hosts, ports and escapes are read more strictly than a pattern can say.
  private static let webhook = object([
    .required("url", text(pattern: "^[hH][tT][tT][pP][sS]?://[!-~]+$", characters: 8...2048)),
    .required(
      "secret", text(pattern: "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"),
      "`whsec_` and 24 to 64 random bytes as base64, to sign with; never shown."),
  ])

  static let bits = integer.with("enum", [2, 3, 4, 8])
  static let groupSize = integer(-1...(1 << 20)).with("not", ["const": 0])
  static let fraction = number(0...1)

  private static let escalation = list(of: integer(1...(1 << 20)), atMost: 16).with("uniqueItems", true)

  private static let quantization = object([
    .optional(
      "method", choice(of: QuantizationRequest.Method.self).orNull.withDefault("gptq"), "`rtn`: round to nearest, without calibration."),
    .optional("bits", bits.orNull.withDefault(4)),
    .optional("group_size", groupSize.orNull.withDefault(128), "Input channels that share a scale; −1: all."),
    .optional("sym", boolean.orNull.withDefault(true), "Grid centred on 0."),
    .optional("desc_act", boolean.orNull.withDefault(false), "Columns by falling activation; inference then needs `g_idx`."),
    .optional(
      "act_group_aware", boolean.orNull,
      "By falling activation within contiguous groups, free at inference; the default is the opposite of `desc_act`, and both can't be."),
    .optional("damp_percent", fraction.orNull.withDefault(0.01), "First damping, as a fraction of the Hessian's mean diagonal."),
    .optional("format", choice(of: QuantizationRequest.Format.self).orNull.withDefault("gptq"), "`gptq` stores zero − 1."),
    .optional("mse", boolean.orNull.withDefault(true), "Search each group's scale for the least weighted squared error."),
    .optional("scale_refinement", boolean.orNull.withDefault(true), "Adjust the scales once the codes are fixed."),
    .optional("error_compensation", fraction.orNull, "Part of the earlier layers' output error that is compensated; 0.5, or 0 for layers."),
    .optional("lm_head", boolean.orNull.withDefault(false), "Quantize the output head too."),
    .optional("dynamic", dynamic.orNull, "What is different for some modules, by regular expressions (PCRE2)."),
  ])
  .with(
    "not",
    members(["desc_act": Schema(["const": true]), "act_group_aware": Schema(["const": true])], required: ["desc_act", "act_group_aware"])
      .with("type", "object")
      .json)

  private static let damping = object([
    .optional(
      "start", choice(of: DampingRequest.Start.self).orNull.withDefault("history"),
      "`history`: at what worked for this layer, model and calibration before; `fixed`: at `damp_percent`.")
  ])

  private static let recovery = object([
    .optional(
      "escalate_samples", escalation.orNull, "Sequences that a layer with few tokens goes on to, rising; [256, 512], or none for layers."),
    .optional(
      "on_exhausted", choice(of: RecoveryRequest.Exhausted.self).orNull.withDefault("fail"),
      "A layer that nothing cures: fail the job, round it, or keep it in 16 bits."),
  ])

  private static let mixture = object([
    .optional(
      "starved", choice(of: MixtureRequest.Starved.self).orNull.withDefault("all_tokens"),
      "Experts that few tokens reach: calibrated on the block's other tokens too, rounded, or kept in 16 bits.")
  ])

  private static let calibration = object([
    .required("dataset", name, "A `.jsonl` below `datasets.roots`, without the ending."),
    .optional("samples", integer(1...(1 << 20)).orNull, "Sequences; 128, or as many as the data gives."),
    .optional("sequence_length", integer(2...(1 << 20)).orNull, "Tokens; 2048, or the model's limit."),
    .optional("seed", integer(0...Int.max).orNull.withDefault(0), "Chooses the sequences."),
  ])

  private static let evaluation = object([
    .required("dataset", name), .optional("samples", integer(1...(1 << 20)).orNull.withDefault(24)),
    .optional("sequence_length", integer(2...(1 << 20)).orNull, "Tokens; 512, or the model's limit."),
  ])

  /// An object from patterns to options, or a list of objects with the pattern among the options.
  private static let dynamic = any(of: [
    Schema([
      "type": "object", "maxProperties": 256, "propertyNames": rulePattern.json,
      "patternProperties": [leavingPattern: object(ruleOptions(.null)).json, changingPattern: object(ruleOptions()).json],
    ]),
    list(
      of: any(of: [
        object([.required("pattern", rulePattern.with("pattern", .string(leavingPattern)))] + ruleOptions(.null)),
        object([.required("pattern", rulePattern.with("pattern", .string(changingPattern)))] + ruleOptions()),
      ]), atMost: 256),
  ])

  private static let leavingPattern = "^-:"
  private static let changingPattern = "^(?!-:)"

  private static let rulePattern = text(characters: 1...512).with("not", ["enum": ["+:", "-:"]])

  /// - Parameter value: Of all options; nil: what each may be.
  private static func ruleOptions(_ value: Schema? = nil) -> [Member] {
    [
      .optional("bits", value ?? bits.orNull), .optional("group_size", value ?? groupSize.orNull),
      .optional("sym", value ?? boolean.orNull),
      .optional("desc_act", value ?? boolean.orNull), .optional("mse", value ?? boolean.orNull),
      .optional("damp_percent", value ?? fraction.orNull),
    ]
  }
}
