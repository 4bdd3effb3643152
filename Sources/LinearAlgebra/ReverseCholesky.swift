/// The upper triangular R with H = R·Rᵀ, from one Cholesky factorisation of the reversed matrix.
///
/// With J the reversal, J·H·J = L·Lᵀ and R = J·L·J (NUMERICS section 2). n³/3 flops, no inverse.
public struct ReverseCholesky<Scalar: BLASScalar>: Sendable {
  /// R [n, n], upper triangular; zeros below the diagonal.
  public let factor: Matrix<Scalar>
  /// Estimated reciprocal condition number of H in the 1-norm.
  public let reciprocalCondition: Scalar

  /// - Parameter matrix: H [n, n], symmetric, both triangles filled.
  /// - Throws: `FactorizationError`, also where LAPACK says 0 with a factor that is not finite.
  public init(_ matrix: Matrix<Scalar>) throws(FactorizationError) {
    precondition(matrix.rows == matrix.columns)
    let n = matrix.rows
    guard n > 0 else {
      factor = matrix
      reciprocalCondition = 1
      return
    }
    let norm = matrix.oneNorm
    guard norm.isFinite else { throw .notFinite }
    var reversed = matrix.elements
    reversed.reverse()
    // LAPACK's column-major 'U' is the row-major lower triangle: JHJ = UᵀU = L·Lᵀ.
    let uplo = CChar(UInt8(ascii: "U"))
    let info = reversed.withUnsafeMutableBufferPointer { Scalar.potrf(uplo, Int32(n), $0.baseAddress.unsafelyUnwrapped, Int32(n)) }
    let pivots = (0..<n).map { reversed[$0 * n + $0] }
    // OpenBLAS's potrf returns info 0 with NaN in the factor, so the diagonal has the last word.
    let firstBad = pivots.firstIndex { !($0.isFinite && $0 > 0) }
    if info != 0 || firstBad != nil {
      let order = info > 0 ? Int(info) : (firstBad ?? 0) + 1
      throw .notPositiveDefinite(order: order, smallestPivot: pivots.prefix(order - 1).min().map(Double.init))
    }
    reciprocalCondition = reversed.withUnsafeBufferPointer {
      Scalar.pocon(uplo, Int32(n), $0.baseAddress.unsafelyUnwrapped, Int32(n), norm)
    }
    for row in 0..<n {
      for column in row + 1..<max(n, row + 1) { reversed[row * n + column] = 0 }
    }
    reversed.reverse()
    factor = Matrix(rows: n, columns: n, elements: reversed)
  }

  /// Smallest diagonal entry of R.
  public var smallestPivot: Scalar { factor.diagonal.min() ?? 1 }
}

extension Matrix {
  /// Largest sum of absolute values of a row; for a symmetric matrix also of a column.
  fileprivate var oneNorm: Scalar {
    var norm: Scalar = 0
    for row in 0..<rows {
      var sum: Scalar = 0
      for value in elements[row * columns..<(row + 1) * columns] { sum += abs(value) }
      if !(sum <= norm) { norm = sum }
      if !sum.isFinite { return sum }
    }
    return norm
  }
}

/// Why a matrix has no Cholesky factor.
public enum FactorizationError: Error, Hashable, Sendable {
  /// The matrix holds NaN or infinity.
  case notFinite
  /// - order: The first leading minor, counted from 1 in the reversed order, that is not positive definite; LAPACK's `info`.
  /// - smallestPivot: Smallest diagonal entry of the factor before it.
  case notPositiveDefinite(order: Int, smallestPivot: Double?)
}
