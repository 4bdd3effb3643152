import Foundation
import Hummingbird
import JobModel
import StrictJSON

/// A request body that has to be JSON.
package struct JSONBody: Sendable {
  let bytes: [UInt8]
  /// Held as long as the bytes are.
  private let lease: MemoryBudget.Lease?

  /// Values that a body may have; no request needs as many.
  package static let valueLimit = 100_000

  /// For a `planning` turn.
  ///
  /// - Throws: `Problem` (400) with line and column.
  func value() throws(Problem) -> JSONValue {
    do {
      return try JSONValue(parsing: bytes, valueLimit: Self.valueLimit)
    } catch {
      throw Problem(.invalidJSON, status: 400, title: "The request body is not JSON", detail: error.description)
    }
  }

  /// Reads bodies.
  struct Reader: Sendable {
    let limit: Int
    let budget: MemoryBudget

    /// A body that announces more than the limit, or for which there is no memory, is refused before any of it is read.
    ///
    /// - Throws: `Problem`: 415, 413, or `Refusal`: 429.
    func read(_ request: Request) async throws -> JSONBody {
      try JSONBody.requireJSON(request)
      return try await body(of: request)
    }

    /// The same for a body that may be empty.
    ///
    /// - Returns: nil for an empty body.
    func readIfAny(_ request: Request) async throws -> JSONBody? {
      let announced = request.announcedLength ?? (request.headers.contains(.transferEncoding) ? nil : 0)
      guard announced != 0 else { return nil }
      try JSONBody.requireJSON(request)
      let body = try await body(of: request)
      return body.bytes.isEmpty ? nil : body
    }

    private func body(of request: Request) async throws -> JSONBody {
      if let length = request.announcedLength, length > limit { throw Problem.bodyTooLarge(limit: limit) }
      var lease = try budget.lease(request.announcedLength ?? 0)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(min(request.announcedLength ?? 0, MemoryBudget.smallSize))
      for try await buffer in request.body {
        let count = bytes.count + buffer.readableBytes
        guard count <= limit else { throw Problem.bodyTooLarge(limit: limit) }
        // Of unknown length: it may become as long as it may be.
        if count > MemoryBudget.smallSize, lease == nil { lease = try budget.lease(limit) }
        bytes.append(contentsOf: buffer.readableBytesView)
      }
      return JSONBody(bytes: bytes, lease: lease)
    }
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
