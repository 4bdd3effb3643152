import JobModel

extension Area {
  static let layers = Area(
    name: "Layers", description: "What was done to each layer of a job, and every try at it.",
    operations: [
      Operation(
        method: .get, path: "/v1/jobs/{id}/layers", id: "listLayers", summary: "A job's layers, in the order of work",
        parameters: [.jobID, .after(), .limit(1...10_000, standard: 1000)],
        answers: [.json(.page(of: "Layer"), "A part of the list.", links: .ofLayers)], errors: [404: [.jobNotFound]]),
      Operation(
        method: .get, path: "/v1/jobs/{id}/layers/{name}", id: "getLayer", summary: "One layer with every try at it",
        parameters: [.jobID, .path("name", "As in the checkpoint, without `.weight`.")],
        answers: [.json(.reference("LayerHistory"), "The layer.")], errors: [404: [.jobNotFound, .layerNotFound]]),
      Operation(
        method: .get, path: "/v1/jobs/{id}/attempts", id: "listAttempts", summary: "Every try at a job's layers",
        description: "Those of earlier starts of the job included.",
        parameters: [.jobID, .query("layer", "Only this layer's."), .after(.sequence), .limit(1...10_000, standard: 1000)],
        answers: [.json(.page(of: "Attempt"), "A part of the list.")], errors: [404: [.jobNotFound]]),
    ],
    schemas: [
      "Layer": .object(layer), "LayerHistory": .object(layer + [.required("history", .list(of: .reference("Attempt")), "Every try.")]),
      "Attempt": attempt,
    ])

  private static let layer: [Member] = [
    .required("name", .text, "As in the checkpoint, without `.weight`."),
    .required("position", .count, "In the order of work, from 0."), .required("block", .integer),
    .required("state", .choice(of: LayerRecord.State.self)),
    .required("shape", .list(of: .count), "Output and input channels."),
    .optional("method", .choice(of: LayerRecord.Method.self), "How it was quantized; `keep`: it wasn't."),
    .required("degraded", .boolean, "The request's method didn't work here, so another was used."),
    .optional("cause", .choice(of: AttemptRecord.Cause.self), "Why it didn't."),
    .optional("bits", .integer), .optional("group_size", .integer),
    .optional("damping", .number, "Of the attempt that worked, as a fraction of the Hessian's mean diagonal."),
    .required("attempts", .count, "How many tries there were."),
    .optional("loss", .number, "tr((W−Q)·H·(W−Q)ᵀ), H = 2/T·XᵀX."), .optional("relative_loss", .number, "The loss divided by tr(W·H·Wᵀ)."),
    .optional("kept", kept, "What each optional step was worth."),
    .optional("tokens", .count, "Calibration tokens in the Hessian."),
    .optional("dead_columns", .count, "Input channels that no calibration token activates."),
    .optional("seconds", .number, "Of the layer's own work: factorisation, solving, packing."),
  ]

  private static let kept = Schema.object([
    .optional("scale_search", .number(0...1), "Part of the rows whose searched scales have the smaller loss."),
    .optional("scale_refinement", .number(0...1), "Part of the rows that refined scales made better."),
    .optional("error_compensation", .number(0...1), "Part of the rows that compensation moved, for the better on held-out sequences."),
  ])

  private static let attempt = Schema.object([
    .required("layer", .text), .required("job_attempt", .integer(1...), "Which start of the job."),
    .required("number", .integer(1...), "Within the layer and the start of the job."),
    .optional("cause", .choice(of: AttemptRecord.Cause.self), "What was wrong with the Hessian; absent where nothing was."),
    .optional("detail", .text, "What is wrong and where."),
    .optional("remedy", .choice(of: AttemptRecord.Remedy.self), "What was done next."),
    .required("damping", .number, "As a fraction of the Hessian's mean diagonal."),
    .required("damping_origin", .choice(of: AttemptRecord.Origin.self)), .required("precision", .choice(of: AttemptRecord.Precision.self)),
    .required("samples", .count, "Calibration sequences in the Hessian."), .required("tokens", .count),
    .required("info", .integer, "LAPACK's: 0, or the order of the leading minor that isn't positive definite."),
    .optional("smallest_pivot", .number, "Smallest diagonal entry of the factor."),
    .optional("reciprocal_condition", .number, "Estimated, 1-norm, of the damped Hessian."),
    .required("seconds", .number), .required("outcome", .choice(of: AttemptRecord.Outcome.self)), .optional("loss", .number),
    .required("at", .time),
  ])
}

extension [Operation.Link] {
  fileprivate static let ofLayers = [
    Operation.Link(name: "getLayer", operation: "getLayer", parameters: ["id": "$request.path.id", "name": "$response.body#/data/0/name"])
  ]
}
