import Checkpoint
import LinearAlgebra
import Synchronization

/// Where a model's weights come from, widened to `Float`: a checkpoint, or a quantized one that is dequantized on reading.
public protocol TensorSource: Sendable {
  func contains(_ name: String) -> Bool
  func shape(of name: String) throws -> [Int]
  /// Reads rows of the first dimension; a tensor of one dimension has rows of one element.
  func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws
}

extension CheckpointFolder: TensorSource {
  public func shape(of name: String) throws -> [Int] { try info(name).shape }

  public func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    let rowSize = buffer.count / max(1, rows.count)
    nonisolated(unsafe) let target = buffer  // reason: each slice writes its own rows
    let failure = Mutex<(any Error)?>(nil)
    forEachSlice(of: rows.count, minimum: max(1, Self.elementsAtOnce / max(1, rowSize))) { slice in
      do {
        try readFloats(
          name, rows: rows.lowerBound + slice.lowerBound..<rows.lowerBound + slice.upperBound,
          into: UnsafeMutableBufferPointer(rebasing: target[slice.lowerBound * rowSize..<slice.upperBound * rowSize]))
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Elements that a core widens at least.
  private static var elementsAtOnce: Int { 1 << 18 }
}

extension TensorSource {
  /// A whole matrix; its shape must be the one that the configuration gives.
  public func matrix(_ name: String, rows: Int, columns: Int) throws -> Matrix<Float> {
    try requireShape([rows, columns], of: name)
    return Matrix(rows: rows, columns: columns, elements: try read(name, rows: 0..<rows, rowSize: columns))
  }

  /// A whole vector; its length must be the one that the configuration gives.
  public func vector(_ name: String, count: Int) throws -> [Float] {
    try requireShape([count], of: name)
    return try read(name, rows: 0..<count, rowSize: 1)
  }

  /// Some rows of a matrix.
  public func rows(_ rows: Range<Int>, of name: String, columns: Int) throws -> Matrix<Float> {
    Matrix(rows: rows.count, columns: columns, elements: try read(name, rows: rows, rowSize: columns))
  }

  /// - Throws: `ModelError.wrongShape`.
  public func requireShape(_ expected: [Int], of name: String) throws {
    let found = try shape(of: name)
    guard found == expected else { throw ModelError.wrongShape(tensor: name, expected: expected, found: found) }
  }

  private func read(_ name: String, rows: Range<Int>, rowSize: Int) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: rows.count * rowSize) { buffer, count in
      count = rows.count * rowSize
      try readRows(rows, of: name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    }
  }
}
