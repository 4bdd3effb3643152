/// A dense row-major matrix with value semantics.
public struct Matrix<Scalar: BLASScalar>: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// `rows × columns` values, row after row.
  public var elements: [Scalar]

  /// A matrix of zeros.
  public init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, elements: [Scalar](repeating: 0, count: rows * columns))
  }

  /// - Precondition: `elements` holds `rows × columns` values.
  public init(rows: Int, columns: Int, elements: [Scalar]) {
    precondition(elements.count == rows * columns, "\(rows) × \(columns) needs \(rows * columns) values, got \(elements.count)")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// A matrix whose values `body` writes, all of them.
  public init(rows: Int, columns: Int, writing body: (MutableMatrixView<Scalar>) throws -> Void) rethrows {
    let elements = try [Scalar](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      count = rows * columns
      try body(MutableMatrixView(base: buffer.baseAddress ?? .dangling, rows: rows, columns: columns, rowStride: columns))
    }
    self.init(rows: rows, columns: columns, elements: elements)
  }

  /// A copy of a window's values, in the same or another precision.
  @_specialize(where Scalar == Double, Other == Float)
  @_specialize(where Scalar == Float, Other == Float)
  @_specialize(where Scalar == Double, Other == Double)
  public init<Other: BLASScalar>(_ view: MatrixView<Other>) {
    self.init(rows: view.rows, columns: view.columns) { target in
      for row in 0..<view.rows {
        let (target, source) = (target.base + row * target.rowStride, view.base + row * view.rowStride)
        for column in 0..<view.columns { target[column] = Scalar(source[column]) }
      }
    }
  }

  /// The same values in another precision.
  @_specialize(where Scalar == Double, Other == Float)
  @_specialize(where Scalar == Float, Other == Double)
  public init<Other: BLASScalar>(_ other: Matrix<Other>) {
    self.init(rows: other.rows, columns: other.columns, elements: other.elements.map { Scalar($0) })
  }

  @inlinable public subscript(row: Int, column: Int) -> Scalar {
    get { elements[row * columns + column] }
    set { elements[row * columns + column] = newValue }
  }

  /// Lends a window over the whole matrix, valid inside `body` only.
  public func withView<Result>(_ body: (MatrixView<Scalar>) throws -> Result) rethrows -> Result {
    try elements.withUnsafeBufferPointer { buffer in
      try body(MatrixView(base: buffer.baseAddress ?? .dangling, rows: rows, columns: columns, rowStride: columns))
    }
  }

  /// Lends a writable window over the whole matrix, valid inside `body` only.
  public mutating func withMutableView<Result>(_ body: (MutableMatrixView<Scalar>) throws -> Result) rethrows -> Result {
    let (rows, columns) = (rows, columns)
    return try elements.withUnsafeMutableBufferPointer { buffer in
      try body(MutableMatrixView(base: buffer.baseAddress ?? .dangling, rows: rows, columns: columns, rowStride: columns))
    }
  }

  /// Columns `order[0]`, `order[1]`, … of this matrix.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func permutingColumns(_ order: [Int]) -> Matrix {
    precondition(order.count == columns && order.allSatisfy { $0 >= 0 && $0 < columns })
    var result = Matrix(rows: rows, columns: columns)
    result.withMutableView { result in
      withView { source in
        for row in 0..<rows {
          let (target, values) = (result.base + row * result.rowStride, source.base + row * source.rowStride)
          for column in 0..<order.count { target[column] = values[order[column]] }
        }
      }
    }
    return result
  }

  /// I [size, size].
  public init(identity size: Int) {
    self.init(rows: size, columns: size)
    for index in 0..<size { self[index, index] = 1 }
  }

  public var diagonal: [Scalar] { (0..<min(rows, columns)).map { self[$0, $0] } }
}

extension UnsafePointer {
  /// A pointer for empty matrices, never read.
  static var dangling: UnsafePointer { UnsafePointer(UnsafeMutablePointer.dangling) }
}

extension UnsafeMutablePointer {
  /// A pointer for empty matrices, never read or written.
  static var dangling: UnsafeMutablePointer {
    UnsafeMutableRawPointer(bitPattern: MemoryLayout<Pointee>.alignment).unsafelyUnwrapped.assumingMemoryBound(to: Pointee.self)
  }
}
