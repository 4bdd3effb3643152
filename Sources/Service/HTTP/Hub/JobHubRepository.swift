import Checkpoint
import Foundation
import JobModel

/// `jobs/<id>`: the artifact of a job that succeeded.
struct JobHubRepository: HubRepository {
  let job: Job
  let manifest: ArtifactManifest
  let store: ArtifactStore
  let hashes: FileHashes

  var id: String { "jobs/\(job.id)" }
  var commit: String { manifest.revision }
  var files: [HubFile] { manifest.files.map { HubFile(path: $0.path, size: $0.size) } }

  func blobs(of files: [HubFile]) async throws -> [HubBlob] {
    var blobs: [HubBlob] = []
    for file in files {
      // The manifest has the SHA-256 of a damaged text, and nobody has what git would name it by.
      let oid = file.isText ? try? await oid(of: file) : nil
      blobs.append(HubBlob(file, sha256: try await sha256(of: file), oid: oid))
    }
    return blobs
  }

  private func oid(of file: HubFile) async throws -> String? {
    let handle = try await open(file)
    guard let identity = FileIdentity(descriptor: handle.fileDescriptor) else { return nil }
    // Small files only: a second descriptor of the same open file is as good as another.
    let source = FileHashes.Source(name: file.path, identity: identity) {
      try handle.seek(toOffset: 0)
      return handle
    }
    return try await hashes.hashes(of: [source]).first?.oid
  }

  func sha256(of file: HubFile) async throws -> String { try published(file).sha256 }

  func requireServable(_ file: HubFile) throws {
    if job.damagedFiles.contains(file.path) { throw Problem.damagedFile(file.path) }
  }

  func open(_ file: HubFile) async throws -> FileHandle { try await store.open(try published(file), of: job) }

  func noteDamage(to file: HubFile) async { try? await store.verify(job) }

  private func published(_ file: HubFile) throws(Problem) -> ArtifactManifest.File {
    guard let published = manifest.files.first(where: { $0.path == file.path }) else { throw .damagedFile(file.path) }
    return published
  }
}
