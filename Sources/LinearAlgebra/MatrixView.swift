/// A read-only row-major window over memory that somebody else owns; valid only inside the closure that got it.
public struct MatrixView<Scalar: BLASScalar> {
  public let base: UnsafePointer<Scalar>
  public let rows: Int
  public let columns: Int
  /// Elements from one row to the next.
  public let rowStride: Int

  public init(base: UnsafePointer<Scalar>, rows: Int, columns: Int, rowStride: Int) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
  }

  @inlinable public subscript(row: Int, column: Int) -> Scalar { base[row * rowStride + column] }

  /// The part of this window with these rows and columns.
  public subscript(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> MatrixView {
    precondition(rowRange.lowerBound >= 0 && rowRange.upperBound <= rows)
    precondition(columnRange.lowerBound >= 0 && columnRange.upperBound <= columns)
    return MatrixView(
      base: base + rowRange.lowerBound * rowStride + columnRange.lowerBound, rows: rowRange.count, columns: columnRange.count,
      rowStride: rowStride)
  }
}

/// A writable row-major window over memory that somebody else owns; valid only inside the closure that got it.
public struct MutableMatrixView<Scalar: BLASScalar> {
  public let base: UnsafeMutablePointer<Scalar>
  public let rows: Int
  public let columns: Int
  /// Elements from one row to the next.
  public let rowStride: Int

  public init(base: UnsafeMutablePointer<Scalar>, rows: Int, columns: Int, rowStride: Int) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
  }

  public var readOnly: MatrixView<Scalar> { MatrixView(base: base, rows: rows, columns: columns, rowStride: rowStride) }

  @inlinable public subscript(row: Int, column: Int) -> Scalar {
    get { base[row * rowStride + column] }
    nonmutating set { base[row * rowStride + column] = newValue }
  }

  /// The part of this window with these rows and columns.
  public subscript(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> MutableMatrixView {
    precondition(rowRange.lowerBound >= 0 && rowRange.upperBound <= rows)
    precondition(columnRange.lowerBound >= 0 && columnRange.upperBound <= columns)
    return MutableMatrixView(
      base: base + rowRange.lowerBound * rowStride + columnRange.lowerBound, rows: rowRange.count, columns: columnRange.count,
      rowStride: rowStride)
  }
}

extension MatrixView {
  /// Some rows, all columns.
  public subscript(rows rows: Range<Int>) -> MatrixView { self[rows: rows, columns: 0..<columns] }
}

extension MutableMatrixView {
  /// Some rows, all columns.
  public subscript(rows rows: Range<Int>) -> MutableMatrixView { self[rows: rows, columns: 0..<columns] }

  /// Copies the values of a window of the same shape.
  public func update(from source: MatrixView<Scalar>) {
    precondition(source.rows == rows && source.columns == columns)
    for row in 0..<rows { (base + row * rowStride).update(from: source.base + row * source.rowStride, count: columns) }
  }
}

/// Lends memory for a matrix whose values are undefined until they are written; valid inside `body` only.
public func withScratchMatrix<Result>(
  rows: Int, columns: Int, _ body: (MutableMatrixView<Float>) throws -> Result
) rethrows -> Result {
  let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(1, rows * columns))
  defer { memory.deallocate() }
  return try body(MutableMatrixView(base: memory, rows: rows, columns: columns, rowStride: columns))
}
