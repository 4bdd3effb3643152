import Foundation
import GRDB
import JobModel

/// Uploads. An upload and a job that uses what it goes to exclude each other: each is stored only where the other isn't.
extension JobRepository {
  /// Stores a new upload in the place of an unfinished one to the same target.
  ///
  /// - Returns: The upload, and the id of the one that is gone.
  /// - Throws: `UploadError.inUse`, `.tooMany`, `.beingDeleted`.
  public func beginUpload(
    to target: UploadTarget, total: Int?, sha256: String?, limits: UploadLimits, now: Date
  ) async throws -> (upload: Upload, replaced: String?) {
    try await write { database in
      try database.requireUnused(target)
      try database.requireRemoved(target)
      try database.requireRoom(for: target, limits)
      let replaced = try database.upload(to: target)?.id
      if let replaced { try database.deleteUpload(replaced) }
      try database.execute(
        sql: "INSERT INTO uploads (id, kind, name, path, total, sha256, received, at) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
        arguments: [JobID(at: now).text, target.kind.rawValue, target.name, target.path, total, sha256, APICoding.text(now)])
      guard let upload = try database.upload(to: target) else { throw UploadError.unknown }
      return (upload, replaced)
    }
  }

  public func upload(to target: UploadTarget) async throws -> Upload? { try await read { try $0.upload(to: target) } }

  /// Stores how much of an upload is on the disk; and its size and hash where they weren't known.
  public func note(received: Int, of upload: Upload, total: Int?, sha256: String?, now: Date) async throws {
    try await write { database in
      try database.execute(
        sql: "UPDATE uploads SET received = ?, at = ?, total = coalesce(total, ?), sha256 = coalesce(sha256, ?) WHERE id = ?",
        arguments: [received, APICoding.text(now), total, sha256, upload.id])
    }
  }

  /// Stores what the whole file is, before it gets its name.
  public func preparePublication(_ publication: Upload.Publication, of upload: Upload) async throws {
    try await write { database in
      try database.execute(
        sql: "UPDATE uploads SET publication = ? WHERE id = ?", arguments: [try APICoding.text(encoding: publication), upload.id])
    }
  }

  /// Ends an upload whose file has its name.
  ///
  /// - Returns: The file, and whether there was none before.
  public func publish(_ upload: Upload, _ publication: Upload.Publication, now: Date) async throws -> (file: UploadedFile, isNew: Bool) {
    try await write { database in
      let target = upload.target
      let isNew = try database.uploadedFile(target) == nil
      try database.execute(
        sql: "INSERT OR REPLACE INTO uploaded_files (kind, name, path, size, sha256, rows, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          target.kind.rawValue, target.name, target.path, publication.size, publication.sha256, publication.rows, APICoding.text(now),
        ])
      try database.deleteUpload(upload.id)
      guard let file = try database.uploadedFile(target) else { throw UploadError.unknown }
      return (file, isNew)
    }
  }

  /// Forgets an upload.
  public func abandon(_ upload: Upload) async throws { try await write { try $0.deleteUpload(upload.id) } }

  public func uploads() async throws -> [Upload] {
    try await read { try Row.fetchAll($0, sql: "SELECT * FROM uploads ORDER BY id").map { try Upload($0) } }
  }

  /// Files and uploads of a model or dataset, or of all.
  public func uploaded(_ kind: UploadTarget.Kind, _ name: String? = nil) async throws -> (files: [UploadedFile], uploads: [Upload]) {
    try await read { database in
      let (condition, arguments): (String, StatementArguments) =
        name.map { ("kind = ? AND name = ?", [kind.rawValue, $0]) } ?? ("kind = ?", [kind.rawValue])
      let files = try Row.fetchAll(
        database, sql: "SELECT * FROM uploaded_files WHERE \(condition) ORDER BY name, path", arguments: arguments)
      let uploads = try Row.fetchAll(database, sql: "SELECT * FROM uploads WHERE \(condition) ORDER BY name, path", arguments: arguments)
      return (try files.map { try UploadedFile($0) }, try uploads.map { try Upload($0) })
    }
  }

  /// What was uploaded in part of a list: names in order, after one of them.
  public func uploadedNames(_ kind: UploadTarget.Kind) async throws -> Set<String> {
    try await read { database in
      let names = try String.fetchAll(
        database, sql: "SELECT name FROM uploaded_files WHERE kind = ? UNION SELECT name FROM uploads WHERE kind = ?",
        arguments: [kind.rawValue, kind.rawValue])
      return Set(names)
    }
  }
}

/// What was deleted.
public struct UploadDeletion: Sendable, Hashable {
  /// With an empty path, all of a model.
  public let target: UploadTarget
  /// Uploads that are gone with it.
  public let uploads: [String]
}

extension JobRepository {
  /// Forgets a file, a dataset or, without a path, a whole model. Its files are the caller's to remove before `completeDeletion(of:)`.
  ///
  /// - Returns: nil where there is no such file.
  /// - Throws: `UploadError.inUse`.
  public func deleteUploaded(_ kind: UploadTarget.Kind, _ name: String, path: String? = nil) async throws -> UploadDeletion? {
    try await write { database in
      let target = UploadTarget(kind: kind, name: name, path: path ?? "")
      try database.requireUnused(target)
      let isWhole = kind == .dataset || path == nil
      let condition = "kind = ? AND name = ?" + (isWhole ? "" : " AND path = ?")
      let arguments: StatementArguments = isWhole ? [kind.rawValue, name] : target.arguments
      let uploads = try String.fetchAll(database, sql: "SELECT id FROM uploads WHERE \(condition)", arguments: arguments)
      try database.execute(sql: "DELETE FROM uploads WHERE \(condition)", arguments: arguments)
      try database.execute(sql: "DELETE FROM uploaded_files WHERE \(condition)", arguments: arguments)
      guard database.changesCount > 0 || !uploads.isEmpty else { return nil }
      try database.execute(
        sql: "INSERT OR REPLACE INTO upload_deletions (kind, name, path) VALUES (?, ?, ?)", arguments: target.arguments)
      return UploadDeletion(target: target, uploads: uploads)
    }
  }

  /// Deletions whose files may still be there.
  public func incompleteUploadDeletions() async throws -> [UploadDeletion] {
    try await read { database in
      try Row.fetchAll(database, sql: "SELECT * FROM upload_deletions").map { UploadDeletion(target: try UploadTarget($0), uploads: []) }
    }
  }

  /// The files are gone.
  public func completeDeletion(of target: UploadTarget) async throws {
    try await write { database in
      try database.execute(
        sql: "DELETE FROM upload_deletions WHERE kind = ? AND name = ? AND path = ?", arguments: target.arguments)
    }
  }
}

extension Database {
  /// - Throws: `UploadError.unfinished` where something that the job names is being uploaded.
  func requireUploaded(_ request: JobRequest) throws {
    let datasets = [request.calibration?.dataset, request.evaluation?.dataset].compactMap(\.self)
    var names = datasets.map { (UploadTarget.Kind.dataset, $0) }
    if request.kind == .model, case .name(let model) = request.model { names.append((.model, model)) }
    for (kind, name) in names {
      let row = try Row.fetchOne(self, sql: "SELECT * FROM uploads WHERE kind = ? AND name = ?", arguments: [kind.rawValue, name])
      guard let upload = try row.map({ try Upload($0) }) else { continue }
      throw UploadError.unfinished(upload.target, received: upload.received, total: upload.total)
    }
  }

  fileprivate func requireUnused(_ target: UploadTarget) throws {
    let uses =
      switch target.kind {
      case .model: "json_extract(body, '$.request.kind') = 'model' AND json_extract(body, '$.request.model') = ?"
      case .dataset:
        "? IN (json_extract(body, '$.request.calibration.dataset'), json_extract(body, '$.request.evaluation.dataset'))"
      }
    let job = try String.fetchOne(
      self, sql: "SELECT id FROM jobs WHERE status IN ('queued', 'running', 'cancelling') AND \(uses) LIMIT 1", arguments: [target.name])
    if let job { throw UploadError.inUse(target, job: job) }
  }

  fileprivate func requireRemoved(_ target: UploadTarget) throws {
    let isBeingDeleted = try Bool.fetchOne(
      self, sql: "SELECT true FROM upload_deletions WHERE kind = ? AND name = ?", arguments: [target.kind.rawValue, target.name])
    if isBeingDeleted == true { throw UploadError.beingDeleted(target) }
  }

  fileprivate func requireRoom(for target: UploadTarget, _ limits: UploadLimits) throws {
    func count(_ column: String, _ condition: String, _ arguments: StatementArguments) throws -> Int {
      let part = "SELECT name, path FROM uploaded_files WHERE \(condition)"
      let sql = "SELECT count(DISTINCT \(column)) FROM (\(part) UNION SELECT name, path FROM uploads WHERE \(condition))"
      return try Int.fetchOne(self, sql: sql, arguments: arguments + arguments) ?? 0
    }
    let (kind, noun) = (target.kind.rawValue, target.kind == .model ? "models" : "datasets")
    let limit = target.kind == .model ? limits.models : limits.datasets
    guard try count("name", "kind = ? AND name != ?", [kind, target.name]) < limit else {
      throw UploadError.tooMany("uploaded \(noun)", limit: limit, key: "uploads.max_\(noun)")
    }
    guard try count("path", "kind = ? AND name = ? AND path != ?", target.arguments) < limits.files else {
      throw UploadError.tooMany("files of the model \(target.name)", limit: limits.files, key: "uploads.max_files")
    }
  }

  fileprivate func upload(to target: UploadTarget) throws -> Upload? {
    let row = try Row.fetchOne(
      self, sql: "SELECT * FROM uploads WHERE kind = ? AND name = ? AND path = ?", arguments: target.arguments)
    return try row.map { try Upload($0) }
  }

  fileprivate func uploadedFile(_ target: UploadTarget) throws -> UploadedFile? {
    let row = try Row.fetchOne(
      self, sql: "SELECT * FROM uploaded_files WHERE kind = ? AND name = ? AND path = ?", arguments: target.arguments)
    return try row.map { try UploadedFile($0) }
  }

  fileprivate func deleteUpload(_ id: String) throws { try execute(sql: "DELETE FROM uploads WHERE id = ?", arguments: [id]) }
}
