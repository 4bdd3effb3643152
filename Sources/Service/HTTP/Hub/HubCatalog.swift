import Foundation
import JobModel
import JobRunner
import JobStore

/// Finds the repositories that the daemon has.
struct HubCatalog: Sendable {
  let jobs: JobRepository
  let models: ResourceCatalog
  let store: ArtifactStore
  let files: WorkerPool
  let hashes: FileHashes

  /// - Throws: `Refusal` (404): unknown, or not finished.
  func job(_ text: String) async throws -> any HubRepository {
    guard let id = JobID(text), let job = try await jobs.job(id) else {
      throw Refusal.noRepository("no job has the id \(text.prefix(64))")
    }
    guard let manifest = job.result else {
      let advice = job.status.isEnded ? "it has no files" : "its files come when it has succeeded"
      throw Refusal.noRepository("the job \(id) is \(job.status.rawValue); \(advice)")
    }
    return JobHubRepository(job: job, manifest: manifest, store: store, hashes: hashes)
  }

  /// - Throws: `Refusal` (404): unknown, or not to be shared.
  func model(_ name: String) async throws -> any HubRepository {
    let (models, files, hashes) = (models, files, hashes)
    do {
      return try await files.run { try ModelHubRepository(name, models.folder(ofModel: name), pool: files, hashes: hashes) }
    } catch let problem as Problem {
      throw Refusal.noRepository(problem.detail)
    }
  }
}
