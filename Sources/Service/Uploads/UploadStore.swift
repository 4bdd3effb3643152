import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore
import Logging

/// Models and datasets that clients uploaded, beside those of the configured roots.
struct UploadStore: Sendable {
  let repository: JobRepository
  let folder: UploadFolder
  /// The configured roots.
  let roots: ResourceCatalog
  let desk: UploadDesk
  let files: WorkerPool
  let limits: UploadLimits
  let logger: Logger

  var receiver: UploadReceiver {
    UploadReceiver(repository: repository, folder: folder, roots: roots, desk: desk, files: files, limits: limits)
  }

  // MARK: Reading

  /// - Returns: nil where there is none.
  func model(_ name: String, listsFiles: Bool) async throws -> StoredModel? {
    let (files, uploads) = try await repository.uploaded(.model, name)
    guard files.isEmpty, uploads.isEmpty else {
      return StoredModel(name: name, source: .uploaded, files: await stored(files, uploads), listsFiles: listsFiles)
    }
    let roots = roots
    return try await self.files.run { roots.files(ofModel: name) }.map { found in
      StoredModel(name: name, source: .root, files: found, listsFiles: listsFiles)
    }
  }

  func dataset(_ name: String) async throws -> StoredDataset? {
    let (files, uploads) = try await repository.uploaded(.dataset, name)
    guard files.isEmpty, uploads.isEmpty else {
      let (file, progress) = (files.first, await progress(uploads.first))
      return StoredDataset(
        name: name, source: .uploaded, size: file?.size, sha256: file?.sha256, rows: file?.rows, uploadedAt: file?.at, upload: progress)
    }
    let roots = roots
    return try await self.files.run { roots.size(ofDataset: name) }.map { StoredDataset(name: name, source: .root, size: $0) }
  }

  /// - Returns: Names in order, and whether there are more.
  func names(_ kind: UploadTarget.Kind, after: String?, limit: Int) async throws -> (names: [String], hasMore: Bool) {
    let roots = roots
    let all = try await files.run { roots.names(kind) }.union(try await repository.uploadedNames(kind))
    let rest = all.filter { name in after.map { name > $0 } ?? true }.sorted()
    return (Array(rest.prefix(limit)), rest.count > limit)
  }

  private func stored(_ files: [UploadedFile], _ uploads: [Upload]) async -> [StoredFile] {
    var unfinished = Dictionary(uniqueKeysWithValues: uploads.map { ($0.target.path, $0) })
    var stored: [StoredFile] = []
    for file in files {
      let upload = await progress(unfinished.removeValue(forKey: file.target.path))
      stored.append(StoredFile(path: file.target.path, size: file.size, sha256: file.sha256, uploadedAt: file.at, upload: upload))
    }
    for upload in unfinished.values {
      stored.append(
        StoredFile(path: upload.target.path, size: nil, sha256: nil, uploadedAt: nil, upload: await progress(upload)))
    }
    return stored.sorted { $0.path < $1.path }
  }

  private func progress(_ upload: Upload?) async -> UploadProgress? {
    guard let upload else { return nil }
    let folder = folder
    let size = try? await files.run { folder.size(ofUnfinished: upload.id) }
    return UploadProgress(received: size ?? 0, size: upload.total, sha256: upload.sha256, at: upload.at)
  }

  // MARK: Deletion

  /// - Parameter path: Of a file of a model; nil: everything.
  /// - Returns: false where nothing of the name was uploaded.
  /// - Throws: `UploadError.inUse`, `Refusal` (409).
  func delete(_ kind: UploadTarget.Kind, _ name: String, path: String? = nil) async throws -> Bool {
    try await desk.withoutUploads(to: kind, name) {
      guard let deletion = try await repository.deleteUploaded(kind, name, path: path) else { return false }
      try await remove(deletion)
      return true
    }
  }

  private func remove(_ deletion: UploadDeletion) async throws {
    let folder = folder
    for id in deletion.uploads { desk.keep(nil, size: 0, of: id) }
    try await files.run {
      for id in deletion.uploads { try folder.removeUnfinished(id) }
      try folder.remove(deletion.target)
    }
    try await repository.completeDeletion(of: deletion.target)
  }

  // MARK: Clearing up

  /// Brings what a daemon that was killed left half-done to one of its ends. To be called before anything is uploaded.
  func recover() async throws {
    for deletion in try await repository.incompleteUploadDeletions() { await removeLater(deletion) }
    var known: Set<String> = []
    for upload in try await repository.uploads() where await mayGoOn(upload) { known.insert(upload.id) }
    let (folder, kept) = (folder, known)
    try await files.run {
      for id in folder.allUnfinished() where !kept.contains(id) { try folder.removeUnfinished(id) }
    }
  }

  /// What can't be removed now is tried again in the next round.
  private func removeLater(_ deletion: UploadDeletion) async {
    do {
      try await remove(deletion)
    } catch {
      logger.error("what was deleted can't be removed", metadata: ["path": "\(deletion.target)", "error": "\(error)"])
    }
  }

  private func mayGoOn(_ upload: Upload) async -> Bool {
    do {
      return try await takeUp(upload)
    } catch {
      logger.error("an upload can't be taken up", metadata: ["path": "\(upload.target)", "error": "\(error)"])
      return true
    }
  }

  /// - Returns: Whether the upload may go on.
  private func takeUp(_ upload: Upload) async throws -> Bool {
    let folder = folder
    let size = try await files.run { folder.size(ofUnfinished: upload.id) }
    if let publication = upload.publication {
      do {
        let isThere = try await files.run { () throws -> Bool in
          if size == nil { return try folder.size(of: upload.target) == publication.size }
          try folder.publish(upload)
          return true
        }
        if isThere {
          _ = try await repository.publish(upload, publication, now: upload.at)
          return false
        }
      } catch let fault as DiskFault where fault.problem?.status == 409 {
        logger.error("an upload can't get its name", metadata: ["path": "\(upload.target)", "error": "\(fault)"])
      }
    } else if let size, size > 0, upload.sha256 != nil || upload.received > 0 {
      // Of what isn't on the disk for certain, there may be zeros in its place after a power cut: only a hash would show it.
      if upload.sha256 == nil, size > upload.received { try await files.run { try folder.cutUnfinished(upload.id, to: upload.received) } }
      return true
    }
    try await repository.abandon(upload)
    return false
  }

  /// Removes uploads that were cut off too long ago, and what couldn't be removed before.
  func clearUp(now: Date) async throws {
    for deletion in try await repository.incompleteUploadDeletions() {
      try? await desk.withoutUploads(to: deletion.target.kind, deletion.target.name) { await removeLater(deletion) }
    }
    for upload in try await repository.uploads() where now.timeIntervalSince(upload.at) > limits.resumption / .seconds(1) {
      guard let claim = try? desk.claim(upload.target) else { continue }
      defer { withExtendedLifetime(claim) {} }
      // It may have gone on meanwhile.
      guard let current = try await repository.upload(to: upload.target), current == upload else { continue }
      let folder = folder
      try await repository.abandon(upload)
      try await files.run { try folder.removeUnfinished(upload.id) }
      logger.notice("an upload that was cut off is forgotten", metadata: ["path": "\(upload.target)", "because": "uploads.resume_hours"])
    }
  }

  /// Paths below the data folder of what the database doesn't know.
  func strangers() async throws -> [String] {
    let (models, datasets) = (try await repository.uploadedNames(.model), try await repository.uploadedNames(.dataset))
    let folder = folder
    return try await files.run { folder.strangers(models: models, datasets: datasets) }
  }
}
