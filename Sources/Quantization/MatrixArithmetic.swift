import LinearAlgebra

extension MutableMatrixView {
  /// Adds a window of the same shape.
  @inline(__always)
  func add(_ other: MatrixView<Scalar>) { update(with: other) { $0 + $1 } }

  /// Subtracts a window of the same shape.
  @inline(__always)
  func subtract(_ other: MatrixView<Scalar>) { update(with: other) { $0 - $1 } }

  @inline(__always)
  private func update(with other: MatrixView<Scalar>, _ combine: (Scalar, Scalar) -> Scalar) {
    precondition(other.rows == rows && other.columns == columns)
    for row in 0..<rows {
      let (target, source) = (base + row * rowStride, other.base + row * other.rowStride)
      for column in 0..<columns { target[column] = combine(target[column], source[column]) }
    }
  }
}

extension Matrix {
  /// This matrix less one of the same shape.
  func subtracting(_ other: Matrix) -> Matrix {
    var result = self
    result.withMutableView { result in other.withView { result.subtract($0) } }
    return result
  }

  /// Adds a multiple of a matrix of the same shape.
  mutating func add(_ other: Matrix, times factor: Scalar) {
    withMutableView { result in
      other.withView { other in
        precondition(other.rows == result.rows && other.columns == result.columns)
        for index in 0..<other.rows * other.columns { result.base[index] += factor * other.base[index] }
      }
    }
  }

  /// Takes rows over from a matrix of the same shape.
  mutating func replaceRows(_ indices: [Int], by other: Matrix) {
    precondition(rows == other.rows && columns == other.columns)
    for row in indices {
      let range = row * columns..<(row + 1) * columns
      elements.replaceSubrange(range, with: other.elements[range])
    }
  }
}
