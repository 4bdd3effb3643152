import Foundation
import LinearAlgebra

/// Activations of all sequences between two stages, in a memory-mapped file that has no name and vanishes with the process.
///
/// The kernel keeps in memory what fits; the rest is on disk.
final class ActivationSpool {
  let columns: Int
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int

  /// - Parameters:
  ///   - folder: Where the file is made.
  ///   - rows: Tokens of all sequences.
  ///   - columns: Channels.
  /// - Throws: `POSIXError`, for one where the disk is full.
  init(in folder: URL, rows: Int, columns: Int) throws {
    self.columns = columns
    byteCount = max(1, rows * columns * MemoryLayout<Float>.stride)
    var path = Array(folder.appending(component: "spool-XXXXXX").path.utf8CString)
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw POSIXError.current }
    defer { close(descriptor) }
    unlink(path)
    let status = posix_fallocate(descriptor, 0, off_t(byteCount))
    guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EIO) }
    guard let mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapping != MAP_FAILED else {
      throw POSIXError.current
    }
    base = mapping
  }

  deinit { munmap(base, byteCount) }

  private func row(_ index: Int) -> UnsafeMutablePointer<Float> {
    base.assumingMemoryBound(to: Float.self) + index * columns
  }

  /// - Precondition: The rows are within the spool.
  func read(_ rows: Range<Int>) -> Matrix<Float> {
    precondition(rows.upperBound * columns * MemoryLayout<Float>.stride <= byteCount)
    return Matrix(
      rows: rows.count, columns: columns,
      elements: Array(UnsafeBufferPointer(start: row(rows.lowerBound), count: rows.count * columns)))
  }

  /// - Precondition: The rows are within the spool.
  func write(_ matrix: Matrix<Float>, at firstRow: Int) {
    precondition(matrix.columns == columns && (firstRow + matrix.rows) * columns * MemoryLayout<Float>.stride <= byteCount)
    row(firstRow).update(from: matrix.elements, count: matrix.elements.count)
  }
}

extension POSIXError {
  static var current: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
