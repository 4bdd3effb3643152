import Foundation
import HTTPTypes
import Hummingbird
import JobModel
import JobStore

/// What the head of a `PUT` says of the file that comes.
struct UploadRequest: Sendable {
  let target: UploadTarget
  /// Byte of the file with which the body begins.
  let offset: Int
  /// Bytes of the body, nil: not known.
  let length: Int?
  /// Bytes of the whole file; nil: not known.
  let total: Int?
  /// What the whole file's SHA-256 shall be.
  let sha256: String?
  /// What the body's SHA-256 shall be.
  let contentSHA256: String?
  /// Whether the file is whole with this body.
  let isLast: Bool

  private static let (reprDigest, contentDigest) = (HTTPField.Name("Repr-Digest"), HTTPField.Name("Content-Digest"))

  /// - Throws: `Problem`: 400, 413, 415.
  init(_ request: Request, target: UploadTarget, maxBytes: Int) throws(Problem) {
    self.target = target
    if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
      throw Problem(
        .unsupportedMediaType, status: 415, title: "The file must come as it is",
        detail: "Content-Encoding is \(coding.prefix(40)); send the bytes uncompressed")
    }
    func digest(_ name: HTTPField.Name?) throws(Problem) -> String? {
      guard let name else { return nil }
      return try DigestField.sha256(request.headers[values: name], name: name.rawName)
    }
    let (sha256, contentSHA256) = (try digest(Self.reprDigest), try digest(Self.contentDigest))
    let ranges = request.headers[values: .contentRange]
    guard ranges.count <= 1 else { throw .invalidContentRange("is there \(ranges.count) times") }
    let announced = request.announcedLength
    if let range = try ranges.first.map({ header throws(Problem) in try ContentRange(header) }) {
      guard range.total <= maxBytes else { throw .uploadTooLarge(limit: maxBytes) }
      if let announced, announced != range.range.count {
        throw .invalidContentRange("has \(range.range.count) bytes, the Content-Length is \(announced)")
      }
      (offset, length, total, isLast) = (range.range.lowerBound, range.range.count, range.total, range.isLast)
      self.sha256 = sha256
    } else {
      if let sha256, let contentSHA256, sha256 != contentSHA256 {
        throw Problem(
          .digestMismatch, status: 400, title: "The digests differ", detail: "the body is the whole file, so both digests must be equal")
      }
      let length = announced ?? (request.headers.contains(.transferEncoding) ? nil : 0)
      (offset, self.length, total, isLast) = (0, length, length, true)
      self.sha256 = sha256 ?? contentSHA256
    }
    self.contentSHA256 = contentSHA256
  }
}

extension Problem {
  static func uploadTooLarge(limit: Int) -> Problem {
    Problem(
      .bodyTooLarge, status: 413, title: "The file is too large",
      detail: "an uploaded file may have \(limit) bytes (uploads.max_file_bytes)")
  }

  static func digestMismatch(of what: String, expected: String, found: String) -> Problem {
    Problem(
      .digestMismatch, status: 400, title: "The bytes are not those that were promised",
      detail: "the SHA-256 of \(what) is \(found), the request promises \(expected); nothing of it was kept, send it again")
  }
}
