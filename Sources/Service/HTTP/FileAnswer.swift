import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobRunner

/// A file that is sent whole or in one part (RFC 9110, section 14), with a strong entity tag.
struct FileAnswer {
  let path: String
  /// Bytes.
  let size: Int
  let sha256: String
  /// Threads that the file is read on.
  let files: WorkerPool
  /// Besides those that every file has.
  var headers: HTTPFields = [:]
  let open: @Sendable () async throws -> FileHandle
  /// Told when the bytes that were sent didn't have the hash; the client got less than all of them.
  let onDamage: @Sendable () async -> Void

  private var tag: String { "\"\(sha256)\"" }

  func response(to request: Request) async throws -> Response {
    if let unmodified = unmodified(request) { return unmodified }
    var headers = fields
    // Ranges are defined for GET only; of another version, which If-Range tells, they are of no use.
    let hasRange = request.method == .get && request.headers[.ifRange].map { $0 == tag } ?? true
    switch ByteRange(hasRange ? request.headers[.range] : nil, size: size) {
    case .whole:
      let body = FileBody(handle: try await open(), files: files)
      return Response(status: .ok, headers: headers, body: body.whole(size: size, sha256: sha256, onDamage: onDamage))
    case .part(let range):
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
      let body = FileBody(handle: try await open(), files: files)
      return Response(status: .partialContent, headers: headers, body: body.part(range))
    case .notSatisfiable:
      let problem = Problem(
        .rangeNotSatisfiable, status: 416, title: "The range has no byte in the file", detail: "the file has \(size) bytes")
      throw Refusal(problem, headers: [.contentRange: "bytes */\(size)"])
    }
  }

  /// For `HEAD`, without a look at the file, which could take longer than a client waits.
  func head(of request: Request) -> Response {
    unmodified(request) ?? Response(status: .ok, headers: fields, body: ResponseBody(contentLength: size) { _ in })
  }

  private func unmodified(_ request: Request) -> Response? {
    guard let known = request.headers[.ifNoneMatch], EntityTag.matches(known, tag) else { return nil }
    return Response(status: .notModified, headers: fields)
  }

  private var fields: HTTPFields {
    var fields = headers
    fields[.eTag] = tag
    fields[.acceptRanges] = "bytes"
    fields[.contentType] = Self.contentType(path)
    return fields
  }

  private static func contentType(_ path: String) -> String {
    path.hasSuffix(".json") ? "application/json" : path.hasSuffix(".txt") ? "text/plain; charset=utf-8" : "application/octet-stream"
  }
}
