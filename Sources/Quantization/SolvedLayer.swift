import LinearAlgebra

/// Codes and grids of some rows of a layer as a solver has them: columns in processing order, with the error that is left.
struct SolvedLayer<Scalar: BLASScalar>: Sendable {
  let rows: Int
  let columns: Int
  /// [m, n], columns in processing order.
  var codes: [UInt8]
  /// [groups, m], groups as the checkpoint numbers them.
  var scales: [Float16]
  /// [groups, m].
  var zeros: [UInt8]
  /// W − Q [m, n], columns in processing order.
  var error: Matrix<Scalar>
  /// (W − Q)·R [m, n], R the factor of the damped Hessian: a row's sum of squares is its loss.
  var factoredError: Matrix<Scalar>
  /// e·Hd·eᵀ of each row of the error, Hd the damped Hessian.
  var rowLosses: [Double]
  /// Rows whose scales were searched.
  var isSearched: [Bool]

  init(emptyFor weight: Matrix<Scalar>, order: ColumnOrder, searchesScales: Bool) {
    rows = weight.rows
    columns = weight.columns
    codes = [UInt8](repeating: 0, count: rows * columns)
    scales = [Float16](repeating: 0, count: order.groups.count * rows)
    zeros = [UInt8](repeating: 0, count: order.groups.count * rows)
    error = Matrix(rows: rows, columns: columns)
    factoredError = error
    rowLosses = [Double](repeating: 0, count: rows)
    isSearched = [Bool](repeating: searchesScales, count: rows)
  }

  /// - Parameter grids: One a row.
  mutating func setGrids(_ grids: [Grid], group: Int) {
    for row in 0..<rows {
      scales[group * rows + row] = grids[row].scale
      zeros[group * rows + row] = grids[row].zero
    }
  }

  /// e·H·eᵀ of each row, the damping's part taken away.
  ///
  /// - Parameter addedDiagonal: λ of Hd = H + λ·I.
  func undampedRowLosses(addedDiagonal: Double) -> [Double] {
    (0..<rows).map { max(0, rowLosses[$0] - addedDiagonal * error.sumOfSquares(ofRow: $0)) }
  }

  /// Takes rows over from another solution of the same layer.
  mutating func replaceRows(_ rows: [Int], by other: SolvedLayer) {
    let groups = scales.count / max(1, self.rows)
    error.replaceRows(rows, by: other.error)
    factoredError.replaceRows(rows, by: other.factoredError)
    for row in rows {
      let range = row * columns..<(row + 1) * columns
      codes.replaceSubrange(range, with: other.codes[range])
      rowLosses[row] = other.rowLosses[row]
      isSearched[row] = other.isSearched[row]
      for entry in stride(from: row, to: groups * self.rows, by: self.rows) {
        scales[entry] = other.scales[entry]
        zeros[entry] = other.zeros[entry]
      }
    }
  }

  /// Codes [m, n] in the weight's own column order.
  func naturalCodes(_ order: ColumnOrder) -> [UInt8] {
    var natural = [UInt8](repeating: 0, count: codes.count)
    natural.withUnsafeMutableBufferPointer { natural in
      for start in stride(from: 0, to: codes.count, by: max(1, columns)) {
        for (position, column) in order.columns.enumerated() { natural[start + column] = codes[start + position] }
      }
    }
    return natural
  }
}

extension MatrixView {
  @inline(__always)
  func sumOfSquares(ofRow row: Int) -> Double {
    let values = base + row * rowStride
    var sums = SIMD16<Scalar>.zero
    var column = 0
    while column + 16 <= columns {
      let lanes = UnsafeRawPointer(values + column).loadUnaligned(as: SIMD16<Scalar>.self)
      sums.addProduct(lanes, lanes)
      column += 16
    }
    var sum: Scalar = 0
    for lane in 0..<16 { sum += sums[lane] }
    for column in column..<columns { sum += values[column] * values[column] }
    return Double(sum)
  }

  @inline(__always)
  var sumOfSquares: Double { (0..<rows).reduce(0) { $0 + sumOfSquares(ofRow: $1) } }
}

extension Matrix {
  func sumOfSquares(ofRow row: Int) -> Double { withView { $0.sumOfSquares(ofRow: row) } }
  var sumOfSquares: Double { withView { $0.sumOfSquares } }
}
