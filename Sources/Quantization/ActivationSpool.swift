import Foundation
import LinearAlgebra

/// Activations of all sequences between two stages, in a memory-mapped file that has no name and vanishes with the process.
///
/// The kernel keeps in memory what fits; the rest is on disk.
final class ActivationSpool {
  let columns: Int
  private let descriptor: Int32
  private var base: UnsafeMutableRawPointer
  private var byteCount: Int

  /// - Parameters:
  ///   - folder: Where the file is made.
  ///   - rows: Tokens of all sequences.
  ///   - columns: Channels.
  /// - Throws: `POSIXError`, for one where the disk is full.
  init(in folder: URL, rows: Int, columns: Int) throws {
    self.columns = columns
    var path = Array(folder.appending(component: "spool-XXXXXX").path.utf8CString)  // mkstemp puts a name in place of the Xs
    descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw POSIXError.current }
    unlink(path)
    byteCount = Self.byteCount(rows: rows, columns: columns)
    do {
      base = try Self.map(descriptor, byteCount: byteCount)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit {
    munmap(base, byteCount)
    close(descriptor)
  }

  private static func byteCount(rows: Int, columns: Int) -> Int { max(1, rows * columns * MemoryLayout<Float>.stride) }

  private static func map(_ descriptor: Int32, byteCount: Int) throws -> UnsafeMutableRawPointer {
    let status = posix_fallocate(descriptor, 0, off_t(byteCount))
    guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EIO) }
    guard let mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapping != MAP_FAILED else {
      throw POSIXError.current
    }
    return mapping
  }

  /// Makes room for more tokens; those that are there stay.
  func grow(rows: Int) throws {
    let larger = Self.byteCount(rows: rows, columns: columns)
    guard larger > byteCount else { return }
    let mapping = try Self.map(descriptor, byteCount: larger)
    munmap(base, byteCount)
    (base, byteCount) = (mapping, larger)
  }

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
