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
  let folder: DataFolder
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
    let url = folder.folders(for: job.id.text).artifact.appending(component: file.path)
    switch ByteRange(hasRange ? request.headers[.range] : nil, size: file.size) {
    case .whole:
      return Response(status: .ok, headers: headers, body: try await body(of: url, 0..<file.size))
    case .part(let range):
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
      return Response(status: .partialContent, headers: headers, body: try await body(of: url, range))
    case .notSatisfiable:
      let problem = Problem(
        .rangeNotSatisfiable, status: 416, title: "The range has no byte in the file", detail: "the file has \(file.size) bytes")
      return try problem.response(instance: request.uri.path, headers: [.contentRange: "bytes */\(file.size)"])
    }
  }

  private static func contentType(_ path: String) -> String {
    path.hasSuffix(".json") ? "application/json" : path.hasSuffix(".txt") ? "text/plain; charset=utf-8" : "application/octet-stream"
  }

  /// Bytes that are read from disk at once.
  static let chunk = 256 << 10

  private func body(of url: URL, _ range: Range<Int>) async throws -> ResponseBody {
    let handle = try await files.run {
      let handle = try FileHandle(forReadingFrom: url)
      try handle.seek(toOffset: UInt64(range.lowerBound))
      return handle
    }
    return ResponseBody(contentLength: range.count) { writer in
      var remaining = range.count
      while remaining > 0 {
        let count = min(Self.chunk, remaining)
        let buffer = try await files.run { ByteBuffer(bytes: try handle.read(upToCount: count) ?? Data()) }
        // Ends the connection short of Content-Length, so that the client sees that the file is incomplete.
        guard buffer.readableBytes > 0 else { throw CocoaError(.fileReadCorruptFile) }
        remaining -= buffer.readableBytes
        try await writer.write(buffer)
      }
      try handle.close()
      try await writer.finish(nil)
    }
  }
}
