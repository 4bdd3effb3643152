import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner
import JobStore
import NIOCore

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
    let tag = EntityTag.file(file)
    var headers: HTTPFields = [.eTag: tag, .acceptRanges: "bytes", .contentType: Self.contentType(path)]
    if let known = request.headers[.ifNoneMatch], EntityTag.matches(known, tag) { return Response(status: .notModified, headers: headers) }
    // Ranges are defined for GET only; of another version, which If-Range tells, they are of no use.
    let hasRange = request.method == .get && request.headers[.ifRange].map { $0 == tag } ?? true
    switch ByteRange(hasRange ? request.headers[.range] : nil, size: file.size) {
    case .whole:
      let body = FileBody(handle: try await store.open(file, of: job), files: files)
      return Response(
        status: .ok, headers: headers,
        body: body.whole(size: file.size, sha256: file.sha256) { try? await store.verify(job) })
    case .part(let range):
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
      let body = FileBody(handle: try await store.open(file, of: job), files: files)
      return Response(status: .partialContent, headers: headers, body: body.part(range))
    case .notSatisfiable:
      let problem = Problem(
        .rangeNotSatisfiable, status: 416, title: "The range has no byte in the file", detail: "the file has \(file.size) bytes")
      return try problem.response(instance: request.uri.path, headers: [.contentRange: "bytes */\(file.size)"])
    }
  }

  private static func contentType(_ path: String) -> String {
    path.hasSuffix(".json") ? "application/json" : path.hasSuffix(".txt") ? "text/plain; charset=utf-8" : "application/octet-stream"
  }
}
