import Crypto
import Foundation
import JobModel
import JobStore
import NIOCore
import Synchronization

/// What is known of the bytes of a file that have come so far.
struct UploadDigest: Sendable {
  private var hash = SHA256()
  private var lines: DatasetLines?

  init(_ kind: UploadTarget.Kind) { lines = kind == .dataset ? DatasetLines() : nil }

  /// Bytes in memory.
  var pending: Int { lines?.pending ?? 0 }

  /// - Throws: `Problem` for a dataset's first bad line.
  mutating func add(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
    unsafe hash.update(bufferPointer: bytes)
    try unsafe lines?.add(bytes)
  }

  mutating func finish() throws(Problem) -> (sha256: String, rows: Int?) { (hash.finalize().hexadecimal, try lines?.finish()) }
}

/// Writes the body of one request to its unfinished file. All methods block; one is called at a time.
final class UploadWriter: Sendable {
  private struct State: Sendable {
    var size: Int
    var synced: Int
    /// nil: bytes came that this daemon hasn't seen, so the file is read once it is whole.
    var digest: UploadDigest?
    var content: SHA256?
  }

  /// Up to which byte of the file the body may go.
  enum Limit: Sendable {
    /// The end of its `Content-Range`.
    case range(Int)
    /// The largest file.
    case any(Int)

    var bytes: Int {
      switch self {
      case .range(let bytes), .any(let bytes): bytes
      }
    }

    var rejection: UploadRejection {
      switch self {
      case .range: UploadRejection(.invalidContentRange("has fewer bytes than the body"), isOfBody: true)
      case .any(let bytes): UploadRejection(.uploadTooLarge(limit: bytes), isOfBody: false)
      }
    }
  }

  private let file: FileHandle
  private let kind: UploadTarget.Kind
  private let start: State
  private let limit: Limit
  private let state: Mutex<State>

  /// Cuts the file where the body begins.
  ///
  /// - Parameters:
  ///   - digest: Of what is before; nil: not known.
  ///   - hashesContent: The body's own hash is asked for.
  /// - Throws: `DiskFault`.
  init(
    _ file: FileHandle, _ kind: UploadTarget.Kind, offset: Int, limit: Limit, digest: UploadDigest?, hashesContent: Bool
  ) throws(DiskFault) {
    (self.file, self.kind, self.limit) = (file, kind, limit)
    start = State(size: offset, synced: offset, digest: digest, content: hashesContent ? SHA256() : nil)
    state = Mutex(start)
    try cut(to: offset)
  }

  /// Bytes of the file.
  var size: Int { state.withLock { $0.size } }

  var checksLines: Bool { kind == .dataset }

  var unsynced: Int { state.withLock { $0.size - $0.synced } }

  /// Of all bytes of the file; nil where not known.
  var digest: UploadDigest? { state.withLock { $0.digest } }

  /// In hexadecimal, of the body.
  var contentSHA256: String? { state.withLock { $0.content?.finalize().hexadecimal } }

  /// - Throws: `DiskFault`; `Problem` for a dataset's first bad line, and for more bytes than there may be.
  func append(_ buffer: ByteBuffer) throws {
    try state.withLock { state in
      guard state.size + buffer.readableBytes <= limit.bytes else { throw limit.rejection }
      try unsafe buffer.withUnsafeReadableBytes { bytes in
        unsafe state.content?.update(bufferPointer: bytes)
        try unsafe state.digest?.add(bytes)
        var written = 0
        while written < bytes.count {
          let count = unsafe pwrite(
            file.fileDescriptor, bytes.baseAddress! + written, bytes.count - written, off_t(state.size + written))
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { throw DiskFault.last("an upload") }
          written += count
        }
      }
      state.size += buffer.readableBytes
    }
  }

  /// - Returns: Bytes that are on the disk for certain.
  @discardableResult
  func sync() throws(DiskFault) -> Int {
    guard fsync(file.fileDescriptor) == 0 else { throw .last("an upload") }
    return state.withLock { state in
      state.synced = state.size
      return state.size
    }
  }

  /// Takes back what the body added.
  func rewind() throws(DiskFault) {
    try cut(to: start.size)
    state.withLock { $0 = start }
  }

  /// To be called once all bytes are there.
  ///
  /// - Throws: `DiskFault`; `Problem` for a bad line of a dataset.
  func finish() throws -> Upload.Publication {
    try sync()
    var digest = try digest ?? read()
    let (sha256, rows) = try digest.finish()
    return Upload.Publication(size: size, sha256: sha256, rows: rows)
  }

  private func read() throws -> UploadDigest {
    var digest = UploadDigest(kind)
    try file.seek(toOffset: 0)
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty { try unsafe data.withUnsafeBytes { try unsafe digest.add($0) } }
    return digest
  }

  private func cut(to size: Int) throws(DiskFault) {
    guard ftruncate(file.fileDescriptor, off_t(size)) == 0 else { throw .last("an upload") }
  }
}
