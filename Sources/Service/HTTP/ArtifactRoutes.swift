import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore

/// The files of finished jobs.
struct ArtifactRoutes {
  let repository: JobRepository
  let store: ArtifactStore
  let files: WorkerPool

  var routes: [Route] {
    [
      .get("v1/jobs/:id/artifacts", use: manifest),
      .get("v1/jobs/:id/artifacts/:path", use: download),
    ]
  }

  @Sendable private func manifest(_ request: Request, _ context: APIContext) async throws -> Response {
    try .json(try await result(context).manifest)
  }

  private func result(_ context: APIContext) async throws -> (job: Job, manifest: ArtifactManifest) {
    let job = try await context.requireJob(in: repository)
    guard let manifest = job.result else {
      throw Problem(
        .artifactNotFound, status: 404, title: "The job has no artifact",
        detail: job.status.isEnded
          ? "the job ended as \(job.status.rawValue)" : "the job is \(job.status.rawValue); wait until it has succeeded")
    }
    return (job, manifest)
  }

  /// A whole file or one range of it, as a stream.
  @Sendable private func download(_ request: Request, _ context: APIContext) async throws -> Response {
    let (job, manifest) = try await result(context)
    let path = context.pathText("path")
    guard let file = manifest.files.first(where: { $0.path == path }) else {
      throw Problem(.artifactNotFound, status: 404, title: "The artifact has no such file", detail: "no file is named \(path.prefix(200))")
    }
    return try await FileAnswer(
      path: path, size: file.size, sha256: file.sha256, files: files, open: { try await store.open(file, of: job) },
      onDamage: { try? await store.verify(job) }
    ).response(to: request)
  }
}
