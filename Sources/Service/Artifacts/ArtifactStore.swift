import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore
import Logging
import Quantization

/// The files of finished jobs, as long as their bytes are those that were published.
///
/// A file is hashed when it is first wanted, and again whenever its identity tells that somebody may have written it since; whoever
/// reads all of it compares the hash once more (`FileBody.whole`), since a disk can change bytes without a trace.
actor ArtifactStore {
  private struct Name: Hashable {
    let job: JobID
    let path: String
  }

  private let folder: DataFolder
  private let repository: JobRepository
  private let files: WorkerPool
  private let logger: Logger
  /// As files were when they were hashed, and whether the hash was that of the manifest.
  private var verdicts: [Name: Verdict] = [:]
  private var verifications: [Name: Task<Verdict?, any Error>] = [:]

  private struct Verdict: Sendable {
    let identity: FileIdentity
    let isIntact: Bool
  }

  init(folder: DataFolder, repository: JobRepository, files: WorkerPool, logger: Logger) {
    self.folder = folder
    self.repository = repository
    self.files = files
    self.logger = logger
  }

  /// Opens a file of a job's artifact for reading.
  ///
  /// - Throws: `Problem` (410) where the file is damaged or gone.
  func open(_ file: ArtifactManifest.File, of job: Job) async throws -> FileHandle {
    guard let (handle, identity) = try await open(file.path, of: job.id), try await isIntact(file, of: job.id, identity) else {
      try await note([file.path] + job.damagedFiles, of: job)
      throw Problem.damagedFile(file.path)
    }
    // It was put back.
    if job.damagedFiles.contains(file.path) { try await note(job.damagedFiles.filter { $0 != file.path }, of: job) }
    return handle
  }

  /// Hashes every file of a job's artifact, and stores what is damaged.
  func verify(_ job: Job) async throws {
    var damaged: [String] = []
    for file in job.result?.files ?? [] {
      try Task.checkCancellation()
      verdicts[Name(job: job.id, path: file.path)] = nil
      guard let (handle, identity) = try await open(file.path, of: job.id) else {
        damaged.append(file.path)
        continue
      }
      try? handle.close()
      if try await !isIntact(file, of: job.id, identity) { damaged.append(file.path) }
    }
    if damaged != job.damagedFiles { try await note(damaged, of: job) }
  }

  /// Removes the files of a job that was deleted.
  func remove(_ id: JobID) async throws {
    verdicts = verdicts.filter { $0.key.job != id }
    let folders = folder.folders(for: id.text)
    try await files.run {
      for url in [folders.artifact, folders.work] {
        do {
          try FileManager.default.removeItem(at: url)
        } catch  where !FileManager.default.fileExists(atPath: url.path) {}
      }
    }
    try await repository.completeDeletion(of: id)
  }

  private func note(_ damaged: [String], of job: Job) async throws {
    if !damaged.isEmpty {
      logger.critical(
        "an artifact is damaged", metadata: ["job": "\(job.id)", "files": "\(damaged.sorted().joined(separator: ", "))"])
    }
    try await repository.setDamagedFiles(of: job.id, damaged, now: Date())
  }

  /// nil where there is no such file; links count as none.
  private func open(_ path: String, of job: JobID) async throws -> (FileHandle, FileIdentity)? {
    let artifact = folder.folders(for: job.text).artifact
    return try await files.run {
      guard let handle = try SafeFile.open(path, in: artifact), let identity = FileIdentity(descriptor: handle.fileDescriptor) else {
        return nil
      }
      return (handle, identity)
    }
  }

  /// - Parameter identity: Of the file as it is now.
  private func isIntact(_ file: ArtifactManifest.File, of job: JobID, _ identity: FileIdentity) async throws -> Bool {
    let name = Name(job: job, path: file.path)
    if let verdict = verdicts[name], verdict.identity == identity { return verdict.isIntact }
    let verification = verifications[name] ?? Task { try await self.hash(file, of: job) }
    verifications[name] = verification
    defer { verifications[name] = nil }
    verdicts[name] = try await verification.value
    return verdicts[name]?.isIntact ?? false
  }

  /// - Returns: nil where there is no such file, or somebody wrote it meanwhile.
  private func hash(_ file: ArtifactManifest.File, of job: JobID) async throws -> Verdict? {
    guard let (handle, identity) = try await open(file.path, of: job) else { return nil }
    return try await files.run {
      defer { try? handle.close() }
      let isIntact = try identity.size == file.size && FileDigest(of: handle, checkCancellation: {}).sha256 == file.sha256
      return FileIdentity(descriptor: handle.fileDescriptor) == identity ? Verdict(identity: identity, isIntact: isIntact) : nil
    }
  }
}

extension Problem {
  static func damagedFile(_ path: String) -> Problem {
    Problem(
      .artifactDamaged, status: 410, title: "The file is damaged",
      detail: "the bytes of \(path) on the server's disk are no longer those that the job published, so they aren't served; restore the "
        + "data folder's artifact from a backup, or submit the job again")
  }
}
