import Foundation
import JobModel
import JobStore

/// A repository in a folder of its own.
final class TestStore: Sendable {
  let folder: URL
  let repository: JobRepository
  static let now = Date(timeIntervalSince1970: 1_800_000_000)

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    repository = try JobRepository(database: folder.appending(component: "gptqd.sqlite"))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  var file: URL { folder.appending(component: "gptqd.sqlite") }

  static let layers = ["a", "b"].enumerated().map { LayerRecord(name: $1, position: $0, block: 0, shape: [8, 8]) }

  /// - Parameter second: After `now`.
  @discardableResult
  func submit(priority: Int = 0, second: Int = 0, key: IdempotencyKey? = nil) async throws -> Job {
    let request = JobRequest(model: "m", calibration: CalibrationRequest(dataset: "d"), priority: priority)
    let submission = try await repository.submit(
      request, layers: Self.layers, warnings: [], key: key, now: Self.now.addingTimeInterval(Double(second)))
    switch submission {
    case .created(let job), .replayed(let job): return job
    }
  }

  func status(_ id: JobID) async throws -> JobStatus? { try await repository.job(id)?.status }

  static let success = JobOutcome.succeeded(
    ArtifactManifest(repo: "jobs/x", revision: "0", files: []), Job.Report(layers: 2, seconds: 1), degraded: false)

  static func attempt(_ layer: String, _ number: Int) -> AttemptRecord {
    AttemptRecord(
      layer: layer, jobAttempt: 1, number: number, cause: .rounding, damping: 0.01, precision: .float32, samples: 4, tokens: 64, info: 3,
      smallestPivot: 0.5, seconds: 0.1, outcome: .failed, at: now)
  }
}
