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
    let info = matrix.withMutableView(factorLower)
    let pivots = matrix.diagonal
    // OpenBLAS's potrf returns info 0 with NaN in the factor, so the diagonal has the last word.
    let firstBad = pivots.firstIndex { !($0.isFinite && $0 > 0) }
    if info != 0 || firstBad != nil {
      let order = info > 0 ? info : (firstBad ?? 0) + 1
      throw .notPositiveDefinite(order: order, smallestPivot: pivots.prefix(order - 1).min().map(Double.init))
    }
    reciprocalCondition = matrix.withView { Scalar.pocon(rowMajorLower, Int32(n), $0.base, Int32(n), norm) }
    matrix.withMutableView(reverse)
    factor = matrix
  }

  /// Smallest diagonal entry of R.
  public var smallestPivot: Scalar { factor.diagonal.min() ?? 1 }
}

/// LAPACK's column-major 'U' is the row-major lower triangle.
private let rowMajorLower = CChar(UInt8(ascii: "U"))

/// A ← L with A = L·Lᵀ in the lower triangle; the rest stays. Panel by panel of columns, on all cores.
///
/// - Returns: 0, or the first leading minor, from 1, that isn't positive definite.
private func factorLower<Scalar: BLASScalar>(_ a: MutableMatrixView<Scalar>) -> Int {
  precondition(BLASLibrary.isSingleThreaded)
  let (size, width) = (a.rows, 256)
  for start in stride(from: 0, to: size, by: width) {
    let panel = start..<min(size, start + width)
    // Rows below the diagonal block start where it ends.
    forEachSlice(of: size - panel.upperBound + panel.count, length: width) { slice in
      let rows = start + slice.lowerBound..<start + slice.upperBound
      let left = a[rows: rows, columns: 0..<start].readOnly
      let target = a[rows: rows, columns: panel]
      if slice.lowerBound == 0 {
        subtractGram(of: left, fromLowerOf: target)
      } else {
        multiply(left, by: a[rows: panel, columns: 0..<start].readOnly, .transposed, scale: -1, into: target, keeping: 1)
      }
    }
    let block = a[rows: panel, columns: panel]
    let info = Scalar.potrf(rowMajorLower, Int32(panel.count), block.base, Int32(block.rowStride))
    guard info == 0 else { return start + max(1, Int(info)) }
    forEachSlice(of: size - panel.upperBound, length: width) { slice in
      let rows = panel.upperBound + slice.lowerBound..<panel.upperBound + slice.upperBound
      solveRight(a[rows: rows, columns: panel], byLowerTransposed: block.readOnly)
    }
  }
  return 0
}

/// Largest sum of absolute values of a row; for a symmetric matrix also of a column. Not finite where an entry isn't.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
private func oneNorm<Scalar: BLASScalar>(_ matrix: MatrixView<Scalar>) -> Scalar {
  var sums = [Scalar](repeating: 0, count: matrix.rows)
  sums.withUnsafeMutableBufferPointer { sums in
    guard let sums = sums.baseAddress else { return }
    forEachSlice(of: matrix.rows, minimum: 16) { rows in
      for row in rows { sums[row] = sumOfMagnitudes(matrix.base + row * matrix.rowStride, count: matrix.columns) }
    }
  }
  // max(_:_:) may pass over NaN.
  return sums.first { !$0.isFinite } ?? sums.max() ?? 0
}

@inline(__always)
private func sumOfMagnitudes<Scalar: BLASScalar>(_ values: UnsafePointer<Scalar>, count: Int) -> Scalar {
  var lanes = SIMD16<Scalar>.zero
  var column = 0
  while column + 16 <= count {
    let part = UnsafeRawPointer(values + column).loadUnaligned(as: SIMD16<Scalar>.self)
    lanes += Scalar.magnitudes(part)
    column += 16
  }
  var sum: Scalar = 0
  for lane in 0..<16 { sum += lanes[lane] }
  for column in column..<count { sum += abs(values[column]) }
  return sum
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
