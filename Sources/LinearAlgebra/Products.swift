import COpenBLAS

/// Whether a product takes a matrix as it is or its transpose.
public enum Orientation: Sendable {
  case asIs, transposed

  var cblas: CBLAS_TRANSPOSE {
    switch self {
    case .asIs: CblasNoTrans
    case .transposed: CblasTrans
    }
  }
}

/// C ← α·op(A)·op(B) + β·C, on the calling thread, as everything here that isn't named otherwise.
///
/// - Precondition: The shapes fit: op(A) [m, k], op(B) [k, n], C [m, n].
public func multiply<Scalar: BLASScalar>(
  _ a: MatrixView<Scalar>, _ aOrientation: Orientation = .asIs, by b: MatrixView<Scalar>, _ bOrientation: Orientation = .asIs,
  scale alpha: Scalar = 1, into c: MutableMatrixView<Scalar>, keeping beta: Scalar = 0
) {
  let (m, k) = aOrientation == .asIs ? (a.rows, a.columns) : (a.columns, a.rows)
  let (inner, n) = bOrientation == .asIs ? (b.rows, b.columns) : (b.columns, b.rows)
  precondition(k == inner && c.rows == m && c.columns == n, "[\(m), \(k)] · [\(inner), \(n)] into [\(c.rows), \(c.columns)]")
  guard m > 0, n > 0 else { return }
  precondition(BLASLibrary.isSingleThreaded)
  Scalar.gemm(
    aOrientation.cblas, bOrientation.cblas, Int32(m), Int32(n), Int32(k), alpha, a.base, Int32(max(1, a.rowStride)), b.base,
    Int32(max(1, b.rowStride)), beta, c.base, Int32(max(1, c.rowStride)))
}

/// C ← α·op(A)·op(B) + β·C on all cores, tile by tile of C.
///
/// - Precondition: The shapes fit, as for `multiply`.
public func multiplyOnAllCores<Scalar: BLASScalar>(
  _ a: MatrixView<Scalar>, _ aOrientation: Orientation = .asIs, by b: MatrixView<Scalar>, _ bOrientation: Orientation = .asIs,
  scale alpha: Scalar = 1, into c: MutableMatrixView<Scalar>, keeping beta: Scalar = 0
) {
  let (down, across) = (tileCount(c.rows), tileCount(c.columns))
  let (aInner, bInner) = (aOrientation == .asIs ? a.columns : a.rows, bOrientation == .asIs ? b.rows : b.columns)
  forEachTask(down * across) { tile in
    let (row, column) = tile.quotientAndRemainder(dividingBy: across)
    let rows = c.rows * row / down..<c.rows * (row + 1) / down
    let columns = c.columns * column / across..<c.columns * (column + 1) / across
    multiply(
      aOrientation == .asIs ? a[rows: rows, columns: 0..<aInner] : a[rows: 0..<aInner, columns: rows], aOrientation,
      by: bOrientation == .asIs ? b[rows: 0..<bInner, columns: columns] : b[rows: columns, columns: 0..<bInner], bOrientation,
      scale: alpha, into: c[rows: rows, columns: columns], keeping: beta)
  }
}

/// Equal parts of at most 512 rows or columns: large enough for efficient products, many enough for several cores.
func tileCount(_ count: Int) -> Int { max((count + 511) / 512, count < 128 ? 1 : count < 1024 ? 2 : 4) }

/// Adds the upper triangle of XᵀX to that of `c` [n, n]; X is [t, n]. Half the work of a product.
public func addGram<Scalar: BLASScalar>(of x: MatrixView<Scalar>, to c: MutableMatrixView<Scalar>, keeping beta: Scalar = 1) {
  precondition(c.rows == x.columns && c.columns == x.columns, "XᵀX of [\(x.rows), \(x.columns)] into [\(c.rows), \(c.columns)]")
  guard x.columns > 0 else { return }
  precondition(BLASLibrary.isSingleThreaded)
  Scalar.syrk(
    CblasUpper, CblasTrans, Int32(x.columns), Int32(x.rows), 1, x.base, Int32(x.rowStride), beta, c.base, Int32(c.rowStride))
}

/// B ← B·op(R)⁻¹ for an upper triangular R [n, n] and B [m, n].
public func solveRight<Scalar: BLASScalar>(
  _ b: MutableMatrixView<Scalar>, byUpper r: MatrixView<Scalar>, _ orientation: Orientation = .asIs
) {
  precondition(r.rows == b.columns && r.columns == b.columns)
  guard b.rows > 0, b.columns > 0 else { return }
  precondition(BLASLibrary.isSingleThreaded)
  Scalar.trsm(
    CblasRight, CblasUpper, orientation.cblas, Int32(b.rows), Int32(b.columns), r.base, Int32(r.rowStride), b.base, Int32(b.rowStride))
}

/// B ← B·op(R) for an upper triangular R [n, n] and B [m, n].
public func multiplyRight<Scalar: BLASScalar>(
  _ b: MutableMatrixView<Scalar>, byUpper r: MatrixView<Scalar>, _ orientation: Orientation = .asIs
) {
  precondition(r.rows == b.columns && r.columns == b.columns)
  guard b.rows > 0, b.columns > 0 else { return }
  precondition(BLASLibrary.isSingleThreaded)
  Scalar.trmm(
    CblasRight, CblasUpper, orientation.cblas, Int32(b.rows), Int32(b.columns), r.base, Int32(r.rowStride), b.base, Int32(b.rowStride))
}

/// B ← B·L⁻ᵀ for a lower triangular L [n, n] and B [m, n].
func solveRight<Scalar: BLASScalar>(_ b: MutableMatrixView<Scalar>, byLowerTransposed l: MatrixView<Scalar>) {
  Scalar.trsm(CblasRight, CblasLower, CblasTrans, Int32(b.rows), Int32(b.columns), l.base, Int32(l.rowStride), b.base, Int32(b.rowStride))
}

/// C ← C − A·Aᵀ in the lower triangle of C [m, m]; A is [m, k].
func subtractGram<Scalar: BLASScalar>(of a: MatrixView<Scalar>, fromLowerOf c: MutableMatrixView<Scalar>) {
  Scalar.syrk(
    CblasLower, CblasNoTrans, Int32(c.rows), Int32(a.columns), -1, a.base, Int32(a.rowStride), 1, c.base, Int32(c.rowStride))
}
