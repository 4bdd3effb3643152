import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import NIOCore

extension Response {
  /// A JSON document as `APICoding` writes it.
  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) throws -> Response {
    var headers = headers
    headers[.contentType] = "application/json"
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try APICoding.encode(value))))
  }

  /// A job with its `ETag`; 304 where the client has it.
  static func job(_ job: Job, status: HTTPResponse.Status = .ok, ifNoneMatch: String? = nil) throws -> Response {
    let tag = EntityTag.job(job)
    if let ifNoneMatch, EntityTag.matches(ifNoneMatch, tag) { return Response(status: .notModified, headers: [.eTag: tag]) }
    return try json(job, status: status, headers: [.eTag: tag])
  }
}

/// Strong entity tags (RFC 9110, section 8.8.3).
enum EntityTag {
  static func job(_ job: Job) -> String { "\"\(job.version)\"" }

  /// Whether an `If-None-Match` names the tag; its comparison ignores weakness.
  static func matches(_ header: String, _ tag: String) -> Bool {
    header.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.contains { candidate in
      candidate == "*" || candidate == tag || candidate == "W/" + tag
    }
  }
}
