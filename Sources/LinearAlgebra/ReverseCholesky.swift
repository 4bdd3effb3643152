/// The upper triangular R with H = R·Rᵀ, from one Cholesky factorisation of the reversed matrix.
///
/// With J the reversal, J·H·J = L·Lᵀ and R = J·L·J (NUMERICS section 2). n³/3 flops, no inverse.
public struct ReverseCholesky<Scalar: BLASScalar>: Sendable {
  /// R [n, n] in the upper triangle with its diagonal; H below it.
  public let factor: Matrix<Scalar>
  /// Diagonal of H, for which `factor` has no room.
  public let diagonal: [Scalar]
  /// Estimated reciprocal condition number of H in the 1-norm.
  public let reciprocalCondition: Scalar

  /// - Parameter matrix: H [n, n], symmetric, both triangles filled.
  /// - Throws: `FactorizationError`, also where LAPACK says 0 with a factor that is not finite.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public init(_ matrix: consuming Matrix<Scalar>) throws(FactorizationError) {
    precondition(matrix.rows == matrix.columns)
    let n = matrix.rows
    diagonal = matrix.diagonal
    guard n > 0 else {
      factor = matrix
      reciprocalCondition = 1
      return
    }
    let norm = matrix.withView(oneNorm)
    guard norm.isFinite else { throw .notFinite }
    matrix.withMutableView(reverse)
    // LAPACK's column-major 'U' is the row-major lower triangle: JHJ = UᵀU = L·Lᵀ.
    let uplo = CChar(UInt8(ascii: "U"))
    let info = matrix.withMutableView { Scalar.potrf(uplo, Int32(n), $0.base, Int32(n)) }
    let pivots = matrix.diagonal
    // OpenBLAS's potrf returns info 0 with NaN in the factor, so the diagonal has the last word.
    let firstBad = pivots.firstIndex { !($0.isFinite && $0 > 0) }
    if info != 0 || firstBad != nil {
      let order = info > 0 ? Int(info) : (firstBad ?? 0) + 1
      throw .notPositiveDefinite(order: order, smallestPivot: pivots.prefix(order - 1).min().map(Double.init))
    }
    reciprocalCondition = matrix.withView { Scalar.pocon(uplo, Int32(n), $0.base, Int32(n), norm) }
    matrix.withMutableView(reverse)
    factor = matrix
  }

  /// Smallest diagonal entry of R.
  public var smallestPivot: Scalar { factor.diagonal.min() ?? 1 }
}

/// Largest sum of absolute values of a row; for a symmetric matrix also of a column. Not finite where an entry isn't.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
private func oneNorm<Scalar: BLASScalar>(_ matrix: MatrixView<Scalar>) -> Scalar {
  var norm: Scalar = 0
  for row in 0..<matrix.rows {
    let values = matrix.base + row * matrix.rowStride
    var sums = SIMD8<Scalar>.zero
    var column = 0
    while column + 8 <= matrix.columns {
      for lane in 0..<8 { sums[lane] += abs(values[column + lane]) }
      column += 8
    }
    var sum: Scalar = 0
    for lane in 0..<8 { sum += sums[lane] }
    for column in column..<matrix.columns { sum += abs(values[column]) }
    guard sum.isFinite else { return sum }
    norm = max(norm, sum)
  }
  return norm
}

/// J·H·J in place: the first value changes places with the last.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
private func reverse<Scalar: BLASScalar>(_ matrix: MutableMatrixView<Scalar>) {
  let size = matrix.rows
  forEachSlice(of: (size + 1) / 2, minimum: 16) { rows in
    for row in rows {
      let (first, second) = (matrix.base + row * size, matrix.base + (size - 1 - row) * size)
      let count = row == size - 1 - row ? size / 2 : size
      for column in 0..<count { swap(&first[column], &second[size - 1 - column]) }
    }
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
