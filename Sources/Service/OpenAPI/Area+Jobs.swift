import JobModel
import StrictJSON

extension Area {
  static let jobs = Area(
    name: "Jobs", description: "Quantizations: submitted, followed, cancelled, retried, deleted.",
    operations: [submit, list, show, events, webhook, cancel, retry, delete],
    schemas: [
      "JobSubmission": .submission, "JobRetry": .retry, "Job": .job, "JobRequest": .storedRequest, "DynamicRule": .storedRule,
      "HubReference": .hubReference, "Event": .event, "Interruption": .interruption, "Webhook": .webhookRecord,
    ])

  private static let submit = Operation(
    method: .post, path: "/v1/jobs", id: "submitJob", summary: "Submits a job",
    description: "Answered once the job is durable.",
    parameters: [
      .header(
        "Idempotency-Key", .text(pattern: "^[!-~]([ -~]*[!-~])?$", characters: 1...255),
        "A repetition with the same key and body makes no second job, and gets the first one's; another body is refused (422).")
    ],
    body: .json(
      .reference("JobSubmission"),
      examples: [
        "gptq": ["model": "MY-MODEL", "quantization": ["bits": 4, "group_size": 128], "calibration": ["dataset": "MY-TEXT"]],
        "rtn": ["model": "MY-MODEL", "quantization": ["method": "rtn", "bits": 8]],
      ]),
    answers: [.job(202, "The job. Where the key is known: as it is now.", headers: [.location], links: .ofJob)],
    errors: [
      400: [.invalidJSON], 415: [.unsupportedMediaType], 429: [.tooManyJobs],
      422: [.invalidRequest, .invalidModel, .invalidDataset, .idempotencyMismatch, .memoryLimit],
    ])

  private static let list = Operation(
    method: .get, path: "/v1/jobs", id: "listJobs", summary: "Jobs, the newest first",
    parameters: [
      .query("status", .choice(of: JobStatus.self), "Only jobs in this status."), .after(.jobID), .limit(1...1000, standard: 50),
    ],
    answers: [.json(.page(of: "Job"), "A part of the list.", links: .ofJobs)])

  private static let show = Operation(
    method: .get, path: "/v1/jobs/{id}", id: "getJob", summary: "A job",
    description: """
      With `wait`, the answer is held until the job differs from the `If-None-Match` version, else from now on; not for a job that has \
      ended, and not when the daemon stops.
      """,
    parameters: [.jobID, .query("wait", .integer(0...60).withDefault(0), "Seconds to wait for a change."), .ifNoneMatch],
    answers: [.job(200, "The job."), .notModified], errors: [404: [.jobNotFound]])

  private static let events = Operation(
    method: .get, path: "/v1/jobs/{id}/events", id: "listEvents", summary: "What happened to a job, in parts or as it happens",
    description: """
      With `Accept: text/event-stream` a stream of server-sent events: first `job`, then those of the list with their `sequence` as `id`, \
      `progress` in between, and `end` when the job has ended or the daemon stops (`reason`: `ended`, `draining`, `deleted`).
      """,
    parameters: [
      .jobID, .after(.sequence.withDefault(0)), .limit(1...1000, standard: 100),
      .header("Last-Event-ID", "For a stream: the last event that the client has; wins over `after`."),
    ],
    answers: [
      Operation.Answer(
        status: 200, description: "A part of the list, or the stream.",
        content: ["application/json": .page(of: "Event"), "text/event-stream": .text])
    ], errors: [404: [.jobNotFound]])

  private static let webhook = Operation(
    method: .get, path: "/v1/jobs/{id}/webhook", id: "getWebhook", summary: "A job's webhook and what became of its messages",
    parameters: [.jobID], answers: [.json(.reference("Webhook"), "The newest message first.")],
    errors: [404: [.jobNotFound, .webhookNotFound]])

  private static let cancel = Operation(
    method: .post, path: "/v1/jobs/{id}/cancel", id: "cancelJob", summary: "Cancels a job that waits or runs",
    description: "Idempotent. A running job is `cancelling` until its work has stopped.",
    parameters: [.jobID], answers: [.job(200, "The job as it is now.")], errors: [404: [.jobNotFound], 409: [.conflict]])

  private static let retry = Operation(
    method: .post, path: "/v1/jobs/{id}/retry", id: "retryJob", summary: "Starts a failed or cancelled job again",
    description: "It goes on from its last finished block. One that waits or runs stays as it is.",
    parameters: [.jobID],
    body: .json(.reference("JobRetry"), "What changes of the job; may be left out.", isRequired: false),
    answers: [.job(200, "The job as it is now.")],
    errors: [
      400: [.invalidJSON], 404: [.jobNotFound], 409: [.conflict], 415: [.unsupportedMediaType], 422: [.invalidRequest],
      429: [.tooManyJobs],
    ])

  private static let delete = Operation(
    method: .delete, path: "/v1/jobs/{id}", id: "deleteJob", summary: "Deletes a job that has ended",
    description: "Its checkpoint and history go too.",
    parameters: [.jobID], answers: [Operation.Answer(status: 204, description: "It is gone.")],
    errors: [404: [.jobNotFound], 409: [.conflict]])
}

extension Operation.Answer {
  fileprivate static func job(
    _ status: Int, _ description: String, headers: [Operation.Header] = [], links: [Operation.Link] = []
  ) -> Operation.Answer {
    .json(.reference("Job"), description, status: status, headers: [.eTag] + headers, links: links)
  }
}

extension Operation.Header {
  fileprivate static let location = Operation.Header(
    name: "Location", schema: .text(pattern: "^/v1/jobs/[0-9A-HJKMNP-TV-Z]{26}$"), description: "Path of the job.")
}

extension [Operation.Link] {
  fileprivate static let ofJob = ["getJob", "listEvents", "listLayers", "listAttempts", "listFiles", "cancelJob", "retryJob", "deleteJob"]
    .map { Operation.Link(name: $0, operation: $0, parameters: ["id": "$response.body#/id"]) }

  fileprivate static let ofJobs = [Operation.Link(name: "getJob", operation: "getJob", parameters: ["id": "$response.body#/data/0/id"])]
}
