import JobModel
import StrictJSON

extension Schema {
  /// Of a request: lower case is taken too.
  static let jobID = text(pattern: "^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$").with("examples", ["01K8ZQ4V7N3D5YJ2C9R6T0XWMA"])
  private static let writtenJobID = text(pattern: "^[0-9A-HJKMNP-TV-Z]{26}$")
  private static let stage = choice(of: Job.Stage.self)

  static let job = object([
    .required("id", writtenJobID, "A ULID."), .required("status", .choice(of: JobStatus.self)),
    .optional("stage", stage, "What a running job is doing."),
    .required("created_at", .time), .optional("started_at", .time), .optional("finished_at", .time),
    .required("attempt", .count, "How often the job was started."),
    .required("version", .integer(1...), "Grows with every change of the job; its `ETag`."),
    .required("request", .reference("JobRequest")), .optional("estimate", estimate, "What the job needs, by its plan."),
    .optional("progress", progress), .optional("slurm", slurm, "Where Slurm has the job, or had it last."),
    .required("degraded", .boolean, "A layer of the result is worse than the request asked for."),
    .required("warnings", .list(of: .text)),
    .required(
      "interruptions", .list(of: .reference("Interruption")),
      "Ends of the daemon, or of attempts on a cluster, while the job ran, since it was submitted or retried."),
    .optional("result", .reference("Manifest")),
    .required("damaged_files", .list(of: .text), "Files of the result whose bytes on the server's disk are wrong; they aren't served."),
    .optional("report", report, "What the job measured."), .optional("error", failure, "Why it failed."),
  ])

  private static let estimate = object([
    .required("memory_bytes", .count, "Most at a time."),
    .required("disk_bytes", .count, "Most below the data folder at a time."), .required("artifact_bytes", .count, "Of those, what stays."),
  ])

  private static let progress = object([
    .optional("layer", .text, "The layer last begun."), .required("done", .count, "Layers."), .required("total", .count, "Layers."),
    .required("fraction", .number(0...1), "Part of the whole work, evaluation and writing included."), .optional("eta_seconds", .number),
    .optional("bytes_done", .count, "While the model is downloaded, of which `fraction` tells then."), .optional("bytes_total", .count),
  ])

  private static let slurm = object([
    .optional("name", .text, "Of the Slurm job: unique for each attempt."), .optional("id", .integer, "Slurm's number of it."),
    .optional("state", .text, "As squeue names it; `SUBMITTING` before Slurm has it, `LOST` where Slurm doesn't know it any more."),
    .optional("reason", .text, "Why it waits or ended."), .optional("nodes", .text, "As squeue lists them."),
    .optional("submitted_at", .time), .optional("unreachable", .text, "Why Slurm can't be asked."),
  ])

  private static let report = object([
    .optional("perplexity_before", .number, "exp of the mean negative log likelihood of a token, of the source."),
    .optional("perplexity_after", .number, "The same of the result, read back from its packed tensors."),
    .optional("evaluation_tokens", .count), .optional("calibration_tokens", .count), .required("layers", .count),
    .required(
      "degraded_layers",
      .list(
        of: .object([
          .required("layer", .text), .required("method", .choice(of: LayerRecord.Method.self)),
          .required("cause", .choice(of: AttemptRecord.Cause.self)),
        ]))), .optional("mean_relative_loss", .number), .required("seconds", .number),
  ])

  private static let failure = object([
    .required("code", .text, "Stable, such as `not_positive_definite`."), .optional("layer", .text),
    .optional("cause", .choice(of: AttemptRecord.Cause.self)), .required("detail", .text),
    .optional("tried", .text, "What was done about it in vain."), .optional("advice", .text),
  ])

  static let interruption = object([
    .required("found_at", .time, "When a daemon found that the one before had ended."), .optional("stage", stage),
    .required("layers_done", .count), .optional("layer", .text, "The one that wasn't done."),
    .optional("reason", .text, "What is known of an attempt's end; absent where the daemon ended."),
  ]).described("The daemon, or an attempt on a cluster, ended without having stopped the job.")

  /// A variant for each kind.
  static let event = one(of: JobEvent.Kind.allCases.map { event($0, data: data(of: $0)) })

  private static func data(of kind: JobEvent.Kind) -> Schema {
    switch kind {
    case .status: object([.required("status", .choice(of: JobStatus.self))])
    case .stage: object([.required("stage", stage)])
    case .download: object([.required("file", .text), .required("bytes", .count)])
    case .layer: reference("Layer")
    case .attempt: reference("Attempt")
    case .warning: object([.required("message", .text)])
    case .interruption: reference("Interruption")
    case .damage: object([.required("files", .list(of: .text))])
    }
  }

  private static func event(_ kind: JobEvent.Kind, data: Schema) -> Schema {
    object([
      .required("sequence", .integer(1...), "Durable; grows by time over all jobs."), .required("job", writtenJobID),
      .required("kind", .constant(kind.rawValue)), .required("at", .time), .required("data", data),
    ])
  }

  static let webhookRecord = object([
    .required("url", .text),
    .required(
      "deliveries",
      .list(
        of: .object([
          .required("id", .text, "The same in each try, as `webhook-id`."), .required("event", .text, "Such as `job.succeeded`."),
          .required("state", .choice(of: WebhookDelivery.State.self)), .required("created_at", .time), .optional("next_attempt_at", .time),
          .required(
            "attempts",
            .list(
              of: .object([
                .required("at", .time), .required("seconds", .number), .optional("status", .integer, "What the receiver answered."),
                .optional("error", .text),
              ]))),
        ]))),
  ])
}
