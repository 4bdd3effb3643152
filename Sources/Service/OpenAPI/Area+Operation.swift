extension Area {
  static let operation = Area(
    name: "Operation", description: "The daemon itself.",
    operations: [
      Operation(
        method: .get, path: "/healthz", id: "getHealth", summary: "Whether the daemon lives",
        answers: [.json(.reference("Health"), "It does.")], isOpen: true),
      Operation(
        method: .get, path: "/readyz", id: "getReadiness", summary: "Whether the daemon takes work",
        answers: [.json(.reference("Health"), "It does.")], errors: [503: [.unavailable]], isOpen: true),
      Operation(
        method: .get, path: "/v1/server", id: "getServer", summary: "What a client wants to know of the daemon",
        description: "Its version, what the token may do, the queue, limits, and room on disk and in memory.",
        answers: [.json(.reference("ServerStatus"), "As it is now.")]),
      Operation(
        method: .get, path: "/openapi.json", id: "getDescription", summary: "This document",
        parameters: [.ifNoneMatch],
        answers: [.json(Schema(["type": "object"]), "An OpenAPI 3.1 document.", headers: [.eTag]), .notModified], isOpen: true),
      Operation(
        method: .get, path: "/metrics", id: "getMetrics", summary: "Metrics for Prometheus",
        answers: [Operation.Answer(status: 200, description: "Text format 0.0.4.", content: ["text/plain": .text])]),
      Operation(
        method: .get, path: "/", id: "getDashboard", summary: "The dashboard, for browsers", parameters: [.ifNoneMatch],
        answers: [Operation.Answer(status: 200, description: "A page.", content: ["text/html": .text], headers: [.eTag]), .notModified],
        isOpen: true),
      Operation(
        method: .get, path: "/dashboard/{file}", id: "getDashboardFile", summary: "A part of the dashboard",
        parameters: [.path("file", "Named by the page."), .ifNoneMatch],
        answers: [
          Operation.Answer(
            status: 200, description: "The file.", content: ["text/javascript": .text, "text/css": .text, "image/svg+xml": .text],
            headers: [.eTag]), .notModified,
        ], errors: [404: [.routeNotFound]], isOpen: true),
    ],
    schemas: ["Health": .object([.required("status", .constant("ok"))]), "ServerStatus": serverStatus])

  private static let serverStatus = Schema.object([
    .required("version", .text), .required("time", .time), .required("draining", .boolean, "It takes no new work, since it stops."),
    .optional(
      "access", .object([.required("name", .text), .required("may_write", .boolean)]),
      "The token of the request; absent where none is needed."),
    .required(
      "jobs",
      .object([
        .required("queued", .count), .required("running", .count), .required("succeeded", .count), .required("failed", .count),
        .required("cancelled", .count),
      ])),
    .required(
      "limits",
      .object([
        .required("queued_jobs", .count, "Jobs that may wait."), .required("body_bytes", .count, "Of a JSON body."),
        .required("workers", .count, "Jobs at once."), .required("threads", .count, "Cores that they share."),
        .required("memory_bytes", .count, "That they may have resident together."),
      ])), .optional("free_disk_bytes", .count, "On the data folder's disk."),
    .optional("available_memory_bytes", .count, "Of the machine's memory, that programs could get."),
  ])
}

extension Operation.Parameter {
  static let ifNoneMatch = header("If-None-Match", "An `ETag` that the client has: the answer is 304 where it is still right.")
  static let jobID = path("id", .jobID, "The job's id.")

  /// What comes before a part of a list.
  static func after(_ schema: Schema = .text) -> Self { query("after", schema, "The `last_id` of the part before.") }

  static func limit(_ range: ClosedRange<Int>, standard: Int) -> Self {
    query("limit", .integer(range).withDefault(.integer(Int64(standard))), "At most this many.")
  }
}

extension Schema {
  /// A part of a list.
  static func page(of element: String) -> Schema {
    .object([
      .required("object", .constant("list")), .required("data", .list(of: .reference(element))), .required("has_more", .boolean),
      .optional("last_id", .text, "What `after` takes to get the next part; absent where this one is empty."),
    ])
  }
}
