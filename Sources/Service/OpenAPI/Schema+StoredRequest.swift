import JobModel

/// A request as a job has it: with the defaults in place of what was left out.
extension Schema {
  static let storedRequest = object([
    .required("kind", choice(of: JobRequest.Kind.self)), .required("model", any(of: [text, reference("HubReference")])),
    .required(
      "quantization",
      object([
        .required("method", choice(of: QuantizationRequest.Method.self)), .required("bits", bits), .required("group_size", groupSize),
        .required("sym", boolean), .required("desc_act", boolean), .required("act_group_aware", boolean),
        .required("damp_percent", fraction),
        .required("format", choice(of: QuantizationRequest.Format.self)), .required("mse", boolean), .required("scale_refinement", boolean),
        .required("error_compensation", fraction), .required("lm_head", boolean),
        .required("dynamic", list(of: reference("DynamicRule")), "In their order."),
      ])),
    .required("damping", object([.required("start", choice(of: DampingRequest.Start.self))])),
    .required(
      "recovery",
      object([
        .required("escalate_samples", list(of: integer(1...))), .required("on_exhausted", choice(of: RecoveryRequest.Exhausted.self)),
      ])),
    .optional("moe", object([.required("starved", choice(of: MixtureRequest.Starved.self))])),
    .optional(
      "calibration",
      object([
        .required("dataset", text), .optional("samples", integer(1...)), .optional("sequence_length", integer(1...)),
        .required("seed", count),
      ])),
    .optional(
      "evaluation",
      object([.required("dataset", text), .optional("samples", integer(1...)), .optional("sequence_length", integer(1...))])),
    .optional("webhook", object([.required("url", text, "Its secret isn't shown.")])), .required("priority", integer),
    .optional(
      "slurm",
      object([
        .optional("partition", text), .optional("cpus", integer(1...)), .optional("memory", text), .optional("time", text),
        .optional("constraint", text),
      ])), .optional("nodes", integer(1...)),
  ])

  static let hubReference = object([
    .required("hub", text), .required("revision", text),
    .optional("commit", text(pattern: "^[0-9a-f]{40}$"), "What the revision stood for."),
  ])

  static let storedRule = object([
    .required("pattern", text), .optional("bits", bits), .optional("group_size", groupSize), .optional("sym", boolean),
    .optional("desc_act", boolean), .optional("mse", boolean), .optional("damp_percent", fraction),
  ])
}
