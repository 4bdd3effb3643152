import Foundation
import JobModel
import StrictJSON
import Testing

/// The schemas of answers have the members that the Swift types have, those that may be absent included.
@Suite struct SwiftTypesSchemaTests {
  private static let attempt = AttemptRecord(
    layer: "l", jobAttempt: 1, number: 1, cause: .starved, detail: "d", remedy: .damping, damping: 0.01, precision: .float32, samples: 1,
    tokens: 2, info: 0, smallestPivot: 0.5, reciprocalCondition: 0.5, seconds: 1, outcome: .failed, loss: 0.5, at: Date())

  private static let layer = LayerRecord(
    name: "l", position: 0, block: 0, state: .done, shape: [1, 2], method: .gptq, degraded: true, cause: .rounding, bits: 4, groupSize: 128,
    damping: 0.01, attempts: 1, loss: 1, relativeLoss: 0.5, kept: .init(scaleSearch: 0, scaleRefinement: 1, errorCompensation: 0.5),
    tokens: 1, deadColumns: 1, seconds: 1)

  private static let rule = DynamicRule(pattern: "+:a", bits: 4, groupSize: -1, sym: true, descAct: true, mse: true, dampPercent: 0.5)

  private static let slurm = SlurmRequest(
    partition: "p", cpus: 1, memory: ByteSize(bytes: 1024), time: SlurmTime("1:00:00"), constraint: "c")

  private static let request = JobRequest(
    model: "m", quantization: .init(dynamic: [rule]), moe: .init(), calibration: .init(dataset: "d", samples: 1, sequenceLength: 2),
    evaluation: .init(dataset: "d", samples: 1, sequenceLength: 2),
    webhook: (try? WebhookURL("https://example.com/x")).map { WebhookRequest(url: $0, secret: nil) },
    slurm: slurm, nodes: 2)

  private static let hub = HubReference(hub: "a/b", revision: "main", commit: String(repeating: "a", count: 40))

  private static let upload = UploadProgress(received: 1, size: 2, sha256: String(repeating: "0", count: 64), at: Date())

  private static let modelFile = StoredFile(
    path: "f", size: 1, sha256: String(repeating: "0", count: 64), uploadedAt: Date(), upload: upload)

  private static let dataset = StoredDataset(
    name: "d", source: .uploaded, size: 1, sha256: String(repeating: "0", count: 64), rows: 1, uploadedAt: Date(), upload: upload)

  private static let webhook = (try? WebhookURL("https://example.com/x")).map { url in
    WebhookRecord(
      url: url,
      deliveries: [
        WebhookDelivery(
          id: "i", event: "job.failed", state: .pending, createdAt: Date(), nextAttemptAt: Date(),
          attempts: [.init(at: Date(), seconds: 1, status: 500, error: "e")])
      ])
  }

  private static let manifest = ArtifactManifest(
    repo: "jobs/x", revision: String(repeating: "a", count: 40),
    files: [.init(path: "f", size: 1, sha256: String(repeating: "0", count: 64))])

  private static let interruption = Job.Interruption(foundAt: Date(), stage: .preparing, layersDone: 0, layer: "l", reason: "r")

  private static var job: Job {
    var job = Job(
      id: JobID(), request: request, createdAt: Date(), warnings: ["w"], estimate: .init(memoryBytes: 1, diskBytes: 1, artifactBytes: 1))
    (job.stage, job.startedAt, job.finishedAt) = (.quantizing, Date(), Date())
    job.progress = .init(layer: "l", done: 0, total: 1, fraction: 0.5, etaSeconds: 1, bytesDone: 1, bytesTotal: 2)
    job.slurm = .init(name: "n", id: 1, state: "PENDING", reason: "r", nodes: "n1", submittedAt: Date(), unreachable: "u")
    job.interruptions = [interruption]
    (job.result, job.damagedFiles) = (manifest, ["f"])
    job.report = .init(
      perplexityBefore: 1, perplexityAfter: 1, evaluationTokens: 1, calibrationTokens: 1, layers: 1,
      degradedLayers: [.init(layer: "l", method: .rtn, cause: .incurable)], meanRelativeLoss: 0.5, seconds: 1)
    job.error = .init(code: "c", layer: "l", cause: .incurable, detail: "d", tried: "t", advice: "a")
    return job
  }

  private static var problem: Problem {
    var problem = Problem(.conflict, status: 409, title: "t", detail: "d", errors: [.init(pointer: "/a", detail: "d")])
    problem.instance = "/"
    return problem
  }

  private static let server = ServerStatus(
    version: "0", time: Date(), draining: false, access: .init(name: "n", mayWrite: true), jobs: .init([:]),
    limits: .init(queuedJobs: 1, bodyBytes: 1, workers: 1, threads: 1, memoryBytes: 1), freeDiskBytes: 1, availableMemoryBytes: 1)

  /// Values of the types with every optional member there.
  private static let samples: [(schema: String, value: any Codable & Sendable)] = [
    ("Attempt", attempt), ("Layer", layer), ("DynamicRule", rule), ("JobRequest", request), ("Manifest", manifest),
    ("File", manifest.files[0]), ("Interruption", interruption), ("Job", job), ("Problem", problem),
    ("ServerStatus", server), ("HubReference", hub), ("UploadProgress", upload), ("ModelFile", modelFile), ("Dataset", dataset),
    ("Model", StoredModel(name: "m", source: .uploaded, files: [modelFile], listsFiles: true)), ("Webhook", webhook),
  ]

  @Test func schemasHaveTheMembersOfTheTypes() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      for (name, value) in Self.samples { try Self.compare(value, document, name) }
    }
  }

  private static func compare(_ value: any Codable & Sendable, _ document: APIDocument, _ name: String) throws {
    let (schema, json) = (try document.schema(name), try json(value))
    #expect(document.judge.complaints(json, schema).isEmpty, "\(name)")
    compare(value, json, schema, document, at: name)
  }

  /// An event's data is as its kind has it.
  @Test func eventsHaveASchemaForEachKind() async throws {
    try await TestServer.run { server in
      let document = try await APIDocument(server)
      try Self.compareEvents(document)
    }
  }

  // Not async: Swift 6.3.1 crashes on this in a closure that is (CoroSplit, with optimization).
  private static func compareEvents(_ document: APIDocument) throws {
    let schema = try document.schema("Event")
    let data: [JobEvent.Kind: JSONValue] = [
      .status: ["status": "queued"], .stage: ["stage": "preparing"], .download: ["file": "f", "bytes": 1], .layer: try json(layer),
      .attempt: try json(attempt),
      .warning: ["message": "w"], .interruption: try json(interruption), .damage: ["files": ["f"]],
    ]
    for kind in JobEvent.Kind.allCases {
      for (other, value) in data {
        let event = try json(JobEvent(sequence: 1, job: JobID(), kind: kind, at: Date(), data: value))
        #expect(document.judge.accepts(event, schema) == (other == kind), "\(kind) with the data of \(other)")
      }
    }
  }

  private static func json(_ value: some Encodable) throws -> JSONValue { try JSONValue(parsing: Array(APICoding.encode(value))) }

  /// Compares members and which of them may be absent, in all objects of a value.
  private static func compare(_ value: Any, _ json: JSONValue, _ schema: JSONValue, _ document: APIDocument, at place: String) {
    let mirror = Mirror(reflecting: value)
    let schema = document.resolved(schema) ?? schema
    switch mirror.displayStyle {
    case .optional:
      #expect(!mirror.children.isEmpty, "\(place) is nil in the sample")
      for child in mirror.children { compare(child.value, json, schema, document, at: place) }
    case .collection:
      for (index, child) in mirror.children.enumerated() {
        guard let element = json.arrayValue?[index], let items = schema["items"] else { continue }
        compare(child.value, element, items, document, at: "\(place)/\(index)")
      }
    case .struct:
      guard let object = json.objectValue else { return }
      let members = Set(schema["properties"]?.objectValue?.keys ?? [])
      #expect(members == Set(object.keys), "\(place)")
      let required = Set(schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [])
      for child in mirror.children {
        let name = snakeCase(child.label ?? "")
        // No answer has it.
        if name == "secret" { continue }
        // Each answer has it.
        let isOptional = Mirror(reflecting: child.value).displayStyle == .optional && (place, name) != ("Problem", "instance")
        #expect(members.contains(name), "\(place)/\(name) is not in the schema")
        #expect(required.contains(name) == !isOptional, "\(place)/\(name)")
        guard let member = object[name], let schema = schema["properties"]?[name] else { continue }
        compare(child.value, member, schema, document, at: "\(place)/\(name)")
      }
    default: return
    }
  }

  private static func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }
}
