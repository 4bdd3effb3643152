import Foundation
import Hummingbird
import JobModel
import StrictJSON

/// A request body that has to be JSON.
struct JSONBody {
  let bytes: [UInt8]
  let value: JSONValue

  /// - Parameter limit: Most bytes; a body that announces more is refused before any of it is read.
  /// - Throws: `Problem`: 415, 413, or 400 with line and column.
  static func read(_ request: Request, limit: Int) async throws -> JSONBody {
    try requireJSON(request)
    return try JSONBody(try await bytes(of: request, limit: limit))
  }

  /// The same for a body that may be empty.
  ///
  /// - Returns: nil for an empty body.
  static func readIfAny(_ request: Request, limit: Int) async throws -> JSONBody? {
    let announced = request.announcedLength ?? (request.headers.contains(.transferEncoding) ? nil : 0)
    guard announced != 0 else { return nil }
    try requireJSON(request)
    let bytes = try await bytes(of: request, limit: limit)
    return bytes.isEmpty ? nil : try JSONBody(bytes)
  }

  private init(_ bytes: [UInt8]) throws(Problem) {
    do {
      value = try JSONValue(parsing: bytes)
    } catch {
      throw Problem(.invalidJSON, status: 400, title: "The request body is not JSON", detail: error.description)
    }
    self.bytes = bytes
  }

  private static func bytes(of request: Request, limit: Int) async throws -> [UInt8] {
    if let length = request.announcedLength, length > limit { throw Problem.bodyTooLarge(limit: limit) }
    var bytes: [UInt8] = []
    for try await buffer in request.body {
      guard bytes.count + buffer.readableBytes <= limit else { throw Problem.bodyTooLarge(limit: limit) }
      bytes.append(contentsOf: buffer.readableBytesView)
    }
    return bytes
  }

  private static func requireJSON(_ request: Request) throws(Problem) {
    guard let type = request.headers[.contentType]?.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased() else {
      return
    }
    guard type == "application/json" || type.hasSuffix("+json") else {
      throw Problem(
        .unsupportedMediaType, status: 415, title: "The request body must be JSON",
        detail: "Content-Type is \(type.prefix(80)); send application/json (curl: -H 'Content-Type: application/json')")
    }
  }
}

extension Request {
  /// Bytes of the body according to `Content-Length`; a number that is too large to read counts as the largest.
  var announcedLength: Int? { headers[.contentLength].map { Int($0) ?? .max } }
}
