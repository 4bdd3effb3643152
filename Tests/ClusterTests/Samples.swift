import Cluster
import Foundation
import JobModel
import JobStore

enum Samples {
  static func specification(_ job: Job? = nil) -> AttemptSpecification {
    AttemptSpecification(
      job: job ?? Job(id: JobID(), request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 0)),
      files: .init(model: URL(filePath: "/m"), calibration: nil, evaluation: nil), history: [], cores: 1, memory: nil,
      maxShardBytes: 1 << 30,
      nodes: 1)
  }

  static let layer = LayerRecord(
    name: "l", position: 0, block: 0, state: .done, shape: [1, 2], method: .gptq, degraded: true, cause: .rounding, bits: 4, groupSize: 128,
    damping: 0.01, attempts: 1, loss: 1, relativeLoss: 0.5, kept: .init(scaleSearch: 0, scaleRefinement: 1, errorCompensation: 0.5),
    tokens: 1, deadColumns: 1, seconds: 1)

  static let attempt = AttemptRecord(
    layer: "a", jobAttempt: 1, number: 1, cause: .starved, detail: "d", remedy: .damping, damping: 0.01, precision: .float64, samples: 1,
    tokens: 2, info: 0, smallestPivot: 0.5, reciprocalCondition: 0.5, seconds: 1, outcome: .failed, loss: 0.5,
    at: Date(timeIntervalSince1970: 5))

  /// One of each kind.
  static let entries: [JournalEntry] = [
    .begin(layers: [layer], finished: 1), .stage(.evaluating),
    .progress(.init(layer: "l", done: 1, total: 2, fraction: 0.5, etaSeconds: 3, bytesDone: 1, bytesTotal: 2)), .layer(layer),
    .failed(layer: "l"),
    .attempt(attempt),
    .warning("a \"quoted\" word,\n a line"),
    .cure(
      KnownDamping(damping: 0.2, precision: .float32), layer: "l", context: DampingContext(model: "m", calibration: "", dampPercent: 0.01)),
  ]

  static let ends: [AttemptEnd] = [
    .outcome(
      .succeeded(
        ArtifactManifest(repo: "jobs/x", revision: "r", files: [.init(path: "f", size: 1, sha256: "0")]), Job.Report(layers: 1, seconds: 1),
        degraded: true)), .outcome(.cancelled), .stopped(reason: "r"),
  ]
}
