import Crypto
import Foundation
import Hummingbird
import JobRunner
import NIOCore
import Quantization

/// The bytes of a file as the body of an answer.
struct FileBody {
  let handle: FileHandle
  let files: WorkerPool

  /// Bytes that are read from disk at once.
  private static let chunk = 1 << 20

  private enum Failure: Error {
    case short
    case damaged
  }

  /// The whole file. Its last part goes out only if the hash of all is right; else the connection ends short of Content-Length.
  ///
  /// - Parameter onDamage: Told of a wrong hash.
  func whole(size: Int, sha256: String, onDamage: @escaping @Sendable () async -> Void) -> ResponseBody {
    ResponseBody(contentLength: size) { writer in
      var hash = SHA256()
      try await forEachChunk(0..<size) { data, isLast in
        hash.update(data: data)
        if isLast, hash.finalize().hexadecimal != sha256 {
          await onDamage()
          throw Failure.damaged
        }
        try await writer.write(ByteBuffer(bytes: data))
      }
      try await writer.finish(nil)
    }
  }

  func part(_ range: Range<Int>) -> ResponseBody {
    ResponseBody(contentLength: range.count) { writer in
      try await forEachChunk(range) { data, _ in try await writer.write(ByteBuffer(bytes: data)) }
      try await writer.finish(nil)
    }
  }

  private func forEachChunk(_ range: Range<Int>, _ body: (_ data: Data, _ isLast: Bool) async throws -> Void) async throws {
    let handle = handle
    defer { try? handle.close() }
    try await files.run { try handle.seek(toOffset: UInt64(range.lowerBound)) }
    var remaining = range.count
    while remaining > 0 {
      let count = min(Self.chunk, remaining)
      let data = try await files.run { try handle.read(upToCount: count) ?? Data() }
      // Ends the connection short of Content-Length, so that the client sees that the file is incomplete.
      guard !data.isEmpty else { throw Failure.short }
      remaining -= data.count
      try await body(data, remaining == 0)
    }
  }
}
