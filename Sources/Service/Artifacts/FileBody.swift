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
  static let chunk = 256 << 10

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
      try await forEachChunk(0..<size) { offset, count in
        let before = hash
        let (buffer, after) = try await files.run {
          var hash = before
          let data = try read(count)
          hash.update(data: data)
          return (ByteBuffer(bytes: data), hash)
        }
        hash = after
        if offset + count == size, hash.finalize().hexadecimal != sha256 {
          await onDamage()
          throw Failure.damaged
        }
        try await writer.write(buffer)
      }
      try await writer.finish(nil)
    }
  }

  func part(_ range: Range<Int>) -> ResponseBody {
    ResponseBody(contentLength: range.count) { writer in
      try await forEachChunk(range) { _, count in try await writer.write(try await files.run { ByteBuffer(bytes: try read(count)) }) }
      try await writer.finish(nil)
    }
  }

  private func forEachChunk(_ range: Range<Int>, _ body: (_ offset: Int, _ count: Int) async throws -> Void) async throws {
    let handle = handle
    defer { try? handle.close() }
    try await files.run { try handle.seek(toOffset: UInt64(range.lowerBound)) }
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: Self.chunk) {
      try await body(offset, min(Self.chunk, range.upperBound - offset))
    }
  }

  /// - Throws: `Failure.short`, which ends the connection short of Content-Length, so that the client sees that the file is incomplete.
  private func read(_ count: Int) throws -> Data {
    guard let data = try handle.read(upToCount: count), data.count == count else { throw Failure.short }
    return data
  }
}
