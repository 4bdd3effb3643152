import Checkpoint
import Cluster
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
    guard let handle = try await openIntact(file, of: job.id) else {
      try await note(damaged: [file.path], whole: [], of: job.id)
      throw Problem.damagedFile(file.path)
    }
    // It was put back.
    if job.damagedFiles.contains(file.path) { try await note(damaged: [], whole: [file.path], of: job.id) }
    return handle
  }

  /// Hashes every file of a job's artifact, and stores what is damaged.
  func verify(_ job: Job) async throws {
    var (damaged, whole): (Set<String>, Set<String>) = ([], [])
    for file in job.result?.files ?? [] {
      try Task.checkCancellation()
      verdicts[Name(job: job.id, path: file.path)] = nil
      if let handle = try await openIntact(file, of: job.id) {
        try? handle.close()
        whole.insert(file.path)
      } else {
        damaged.insert(file.path)
      }
    }
    try await note(damaged: damaged, whole: whole, of: job.id)
  }

  /// Removes the files of a job that was deleted.
  func remove(_ id: JobID) async throws {
    verdicts = verdicts.filter { $0.key.job != id }
    let folders = folder.folders(for: id.text)
    let attempts = folder.clusterFolders
    try await files.run {
      attempts.remove(id)
      for url in [folders.artifact, folders.work] {
        do {
          try FileManager.default.removeItem(at: url)
        } catch  where !FileManager.default.fileExists(atPath: url.path) {}
      }
    }
    try await repository.completeDeletion(of: id)
  }

  /// Nothing happens where the job was deleted meanwhile.
  private func note(damaged: Set<String>, whole: Set<String>, of job: JobID) async throws {
    guard let known = try await repository.noteDamage(to: damaged, repairOf: whole, of: job, now: Date()), !known.isEmpty else { return }
    logger.critical("an artifact is damaged", metadata: ["job": "\(job)", "files": "\(known.joined(separator: ", "))"])
  }

  /// nil where the file is damaged or gone.
  ///
  /// - Throws: `Problem` (503) for a file that is written again and again.
  private func openIntact(_ file: ArtifactManifest.File, of job: JobID) async throws -> FileHandle? {
    for _ in 0..<3 {
      guard let (handle, identity) = try await open(file.path, of: job) else { return nil }
      // Of another identity: somebody changed the file, or its owner or links, since the verdict; the next try sees which.
      if let verdict = try await verdict(on: file, of: job, identity), verdict.identity == identity {
        return verdict.isIntact ? handle : nil
      }
      try? handle.close()
    }
    throw Problem(
      .unavailable, status: 503, title: "The file is being changed", detail: "\(file.path) changed while it was read; try again")
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
  private func verdict(on file: ArtifactManifest.File, of job: JobID, _ identity: FileIdentity) async throws -> Verdict? {
    let name = Name(job: job, path: file.path)
    if let verdict = verdicts[name], verdict.identity == identity { return verdict }
    let verification = verifications[name] ?? Task { try await self.hash(file, of: job) }
    verifications[name] = verification
    defer { verifications[name] = nil }
    let verdict = try await verification.value
    verdicts[name] = verdict
    return verdict
  }

  /// - Returns: nil where there is no such file, or somebody wrote it meanwhile.
  private func hash(_ file: ArtifactManifest.File, of job: JobID) async throws -> Verdict? {
    guard let (handle, identity) = try await open(file.path, of: job) else { return nil }
    return try await files.run {
      defer { try? handle.close() }
      // What can't be read can't be right.
      let isIntact = identity.size == file.size && (try? FileDigest(of: handle, checkCancellation: {}))?.sha256 == file.sha256
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
