import Checkpoint
import Crypto
import Foundation
import JobModel
import JobRunner
import Quantization

/// `models/<name>`: a model that jobs can name. Its commit is another whenever a file is written.
struct ModelHubRepository: HubRepository {
  let id: String
  let commit: String
  let files: [HubFile]
  private let folder: ModelFolder
  private let identities: [String: FileIdentity]
  private let pool: WorkerPool
  private let hashes: FileHashes

  /// Looks into the folder, so not for the threads of async code.
  init(_ name: String, _ folder: ModelFolder, pool: WorkerPool, hashes: FileHashes) throws {
    let found = try folder.files()
    id = "models/\(name)"
    files = found.map { HubFile(path: $0.path, size: $0.identity.size) }
    identities = Dictionary(found.map { ($0.path, $0.identity) }) { $1 }
    // Of contents it would have to be computed before the first answer, which takes minutes for a large model.
    var commit = SHA256()
    for file in found { commit.update(data: Data("\(file.path)\0\(file.identity.version)\n".utf8)) }
    self.commit = String(commit.finalize().hexadecimal.prefix(40))
    (self.folder, self.pool, self.hashes) = (folder, pool, hashes)
  }

  func blobs(of files: [HubFile]) async throws -> [HubBlob] {
    let found = try await hashes.hashes(of: try files.map(source))
    return zip(files, found).map { HubBlob($0, sha256: $1.sha256, oid: $0.isText ? $1.oid : nil) }
  }

  func sha256(of file: HubFile) async throws -> String { try await blobs(of: [file])[0].sha256 }

  func open(_ file: HubFile) async throws -> FileHandle {
    let (folder, identity) = (folder, try source(file).identity)
    let handle = try await pool.run { try folder.open(file.path) }
    guard let handle, FileIdentity(descriptor: handle.fileDescriptor) == identity else { throw Problem.changedFile(file.path) }
    return handle
  }

  func noteDamage(to file: HubFile) async {
    if let identity = identities[file.path] { await hashes.forget(identity) }
  }

  private func source(_ file: HubFile) throws(Problem) -> FileHashes.Source {
    guard let identity = identities[file.path] else { throw .changedFile(file.path) }
    let folder = folder
    return FileHashes.Source(name: file.path, identity: identity) { try folder.open(file.path) }
  }
}

extension FileIdentity {
  /// Of the bytes, as far as programs leave the time of change alone.
  fileprivate var version: String { "\(inode)-\(size)-\(modified)" }
}
