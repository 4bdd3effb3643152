import Checkpoint
import Foundation
import JobModel
import JobStore
import Quantization

/// Compares all artifacts of a data folder with what was published, beside a daemon that uses it or without one; changes nothing.
public struct ArtifactAudit: Sendable {
  /// A file of an artifact.
  public struct Finding: Sendable {
    public let job: JobID
    public let path: String
    /// nil: its bytes are right.
    public let damage: String?
  }

  private let folder: URL
  private let repository: JobRepository

  /// - Throws: `JobStoreError`.
  public init(dataFolder: URL) throws {
    folder = dataFolder
    repository = try JobRepository(reading: DataFolder.database(in: dataFolder))
  }

  /// - Parameters:
  ///   - only: One job; nil: all that succeeded.
  ///   - report: Told of each file.
  /// - Returns: How many files are damaged.
  public func run(only: JobID?, report: (Finding) -> Void) async throws -> Int {
    if let only {
      guard let job = try await repository.job(only) else { throw JobStoreError.unknownJob(only.text) }
      return try audit(job, report)
    }
    var damaged = 0
    var last: JobID?
    repeat {
      let page = try await repository.jobs(status: .succeeded, limit: 100, after: last)
      for job in page.data { damaged += try audit(job, report) }
      last = page.hasMore ? page.data.last?.id : nil
    } while last != nil
    return damaged
  }

  private func audit(_ job: Job, _ report: (Finding) -> Void) throws -> Int {
    try (job.result?.files ?? []).reduce(0) { count, file in
      let damage = try damage(of: file, job.id)
      report(Finding(job: job.id, path: file.path, damage: damage))
      return count + (damage == nil ? 0 : 1)
    }
  }

  private func damage(of file: ArtifactManifest.File, _ job: JobID) throws -> String? {
    let artifact = JobFolders(job.text, in: folder).artifact
    guard let handle = try SafeFile.open(file.path, in: artifact) else { return "it isn't there" }
    defer { try? handle.close() }
    let digest: FileDigest
    do {
      digest = try FileDigest(of: handle, checkCancellation: {})
    } catch {
      return "it can't be read: \(error.reason)"
    }
    guard digest.size == file.size else { return "it has \(digest.size) bytes, \(file.size) were published" }
    return digest.sha256 == file.sha256 ? nil : "its SHA-256 is \(digest.sha256), \(file.sha256) was published"
  }
}
