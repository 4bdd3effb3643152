import Foundation
import LinearAlgebra

/// Activations of all sequences between two stages: in memory, or in a memory-mapped file without a name that vanishes with the process.
package final class ActivationSpool {
  package let columns: Int
  private let storage: Storage
  private var base: UnsafeMutableRawPointer
  private var byteCount: Int

  private enum Storage {
    case memory
    case file(descriptor: Int32)
  }

  /// - Parameters:
  ///   - folder: Where a file is made; nil: it is kept in memory.
  ///   - rows: Tokens of all sequences.
  ///   - columns: Channels.
  /// - Throws: `POSIXError`, for one where the disk is full.
  package init(in folder: URL?, rows: Int, columns: Int) throws {
    self.columns = columns
    byteCount = Self.byteCount(rows: rows, columns: columns)
    storage = if let folder { .file(descriptor: try Self.makeFile(in: folder)) } else { .memory }
    do {
      base = try Self.map(storage, byteCount: byteCount)
    } catch {
      if case .file(let descriptor) = storage { close(descriptor) }
      throw error
    }
  }

  deinit {
    munmap(base, byteCount)
    if case .file(let descriptor) = storage { close(descriptor) }
  }

  /// - Returns: The number of bytes that hold so many values.
  static func byteCount(rows: Int, columns: Int) -> Int { max(1, rows * columns * MemoryLayout<Float>.stride) }

  private static func makeFile(in folder: URL) throws -> Int32 {
    var path = Array(folder.appending(component: "spool-XXXXXX").path.utf8CString)  // reason: mkstemp wants six of them
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw POSIXError.current }
    unlink(path)
    return descriptor
  }

  private static func map(_ storage: Storage, byteCount: Int) throws -> UnsafeMutableRawPointer {
    let mapping: UnsafeMutableRawPointer?
    switch storage {
    case .memory:
      mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      if let mapping, mapping != MAP_FAILED { madvise(mapping, byteCount, MADV_HUGEPAGE) }
    case .file(let descriptor):
      let status = posix_fallocate(descriptor, 0, off_t(byteCount))
      guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EIO) }
      mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    }
    guard let mapping, mapping != MAP_FAILED else { throw POSIXError.current }
    return mapping
  }

  /// Makes room for more tokens; those that are there stay.
  package func grow(rows: Int) throws {
    let larger = Self.byteCount(rows: rows, columns: columns)
    guard larger > byteCount else { return }
    let mapping = try Self.map(storage, byteCount: larger)
    if case .memory = storage { mapping.copyMemory(from: base, byteCount: byteCount) }
    munmap(base, byteCount)
    (base, byteCount) = (mapping, larger)
  }

  /// Lets go of the memory that holds tokens whose activations are on disk as well; they are read again where they are needed.
  package func release(_ rows: Range<Int>) {
    guard case .file = storage, !rows.isEmpty else { return }
    let (page, row) = (Int(getpagesize()), columns * MemoryLayout<Float>.stride)
    let start = rows.lowerBound * row / page * page
    madvise(base + start, min(rows.upperBound * row, byteCount) - start, MADV_DONTNEED)
  }

  /// - Precondition: The rows are within the spool.
  /// - Returns: Those tokens' activations, valid until the spool grows or goes.
  package subscript(rows: Range<Int>) -> MutableMatrixView<Float> {
    precondition(rows.lowerBound >= 0 && rows.upperBound * columns * MemoryLayout<Float>.stride <= byteCount)
    return MutableMatrixView(
      base: base.assumingMemoryBound(to: Float.self) + rows.lowerBound * columns, rows: rows.count, columns: columns, rowStride: columns)
  }
}

extension POSIXError {
  static var current: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
