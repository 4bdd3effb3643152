import COpenBLAS

/// A real type that BLAS and LAPACK have routines for: `Float` and `Double`.
///
/// Matrices are row-major. The LAPACK routines are column-major, so they see a symmetric matrix as it is and a
/// triangular one transposed; `uplo` is named for what LAPACK sees.
public protocol BLASScalar: BinaryFloatingPoint, SIMDScalar, BitwiseCopyable, Codable, Sendable {
  /// The nearest value that float16 has; infinity beyond its range.
  var float16: Float16 { get }
  init(float16: Float16)
  /// Every lane rounded to a value that float16 has.
  static func roundedToFloat16(_ lanes: SIMD16<Self>) -> SIMD16<Self>
  /// Each lane between two bounds; NaN becomes the lower one.
  static func limited(_ lanes: SIMD16<Self>, _ low: SIMD16<Self>, _ high: SIMD16<Self>) -> SIMD16<Self>
  static func magnitudes(_ lanes: SIMD16<Self>) -> SIMD16<Self>
  /// The nearest integer, ties to even, of lanes below 2^22 in magnitude.
  static func rounded(_ lanes: SIMD16<Self>) -> SIMD16<Self>
  /// Lanes that hold integers from 0 to 255.
  static func bytes(_ lanes: SIMD16<Self>) -> SIMD16<UInt8>
  static func gemm(
    _ transposeA: CBLAS_TRANSPOSE, _ transposeB: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ k: Int32, _ alpha: Self,
    _ a: UnsafePointer<Self>, _ lda: Int32, _ b: UnsafePointer<Self>, _ ldb: Int32, _ beta: Self, _ c: UnsafeMutablePointer<Self>,
    _ ldc: Int32)
  static func syrk(
    _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ n: Int32, _ k: Int32, _ alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int32,
    _ beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int32)
  static func trsm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Self>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Self>, _ ldb: Int32)
  static func trmm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Self>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Self>, _ ldb: Int32)
  /// Factors a symmetric matrix; returns LAPACK's `info`.
  static func potrf(_ uplo: CChar, _ n: Int32, _ a: UnsafeMutablePointer<Self>, _ lda: Int32) -> Int32
  /// Reciprocal condition number from a factor and the 1-norm of the matrix it was made from.
  static func pocon(_ uplo: CChar, _ n: Int32, _ factor: UnsafePointer<Self>, _ lda: Int32, _ norm: Self) -> Self
}

extension Float: BLASScalar {
  public static func gemm(
    _ transposeA: CBLAS_TRANSPOSE, _ transposeB: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ k: Int32, _ alpha: Float,
    _ a: UnsafePointer<Float>, _ lda: Int32, _ b: UnsafePointer<Float>, _ ldb: Int32, _ beta: Float, _ c: UnsafeMutablePointer<Float>,
    _ ldc: Int32
  ) { cblas_sgemm(CblasRowMajor, transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) }

  public static func syrk(
    _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ n: Int32, _ k: Int32, _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int32,
    _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int32
  ) { cblas_ssyrk(CblasRowMajor, uplo, trans, n, k, alpha, a, lda, beta, c, ldc) }

  public static func trsm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Float>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Float>, _ ldb: Int32
  ) { cblas_strsm(CblasRowMajor, side, uplo, trans, CblasNonUnit, m, n, 1, a, lda, b, ldb) }

  public static func trmm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Float>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Float>, _ ldb: Int32
  ) { cblas_strmm(CblasRowMajor, side, uplo, trans, CblasNonUnit, m, n, 1, a, lda, b, ldb) }

  public static func potrf(_ uplo: CChar, _ n: Int32, _ a: UnsafeMutablePointer<Float>, _ lda: Int32) -> Int32 {
    LAPACKE_spotrf_work(LAPACK_COL_MAJOR, uplo, n, a, lda)
  }

  public static func pocon(_ uplo: CChar, _ n: Int32, _ factor: UnsafePointer<Float>, _ lda: Int32, _ norm: Float) -> Float {
    var reciprocal: Float = 0
    LAPACKE_spocon(LAPACK_COL_MAJOR, uplo, n, factor, lda, norm, &reciprocal)
    return reciprocal
  }
}

extension Double: BLASScalar {
  public static func gemm(
    _ transposeA: CBLAS_TRANSPOSE, _ transposeB: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ k: Int32, _ alpha: Double,
    _ a: UnsafePointer<Double>, _ lda: Int32, _ b: UnsafePointer<Double>, _ ldb: Int32, _ beta: Double,
    _ c: UnsafeMutablePointer<Double>, _ ldc: Int32
  ) { cblas_dgemm(CblasRowMajor, transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) }

  public static func syrk(
    _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ n: Int32, _ k: Int32, _ alpha: Double, _ a: UnsafePointer<Double>, _ lda: Int32,
    _ beta: Double, _ c: UnsafeMutablePointer<Double>, _ ldc: Int32
  ) { cblas_dsyrk(CblasRowMajor, uplo, trans, n, k, alpha, a, lda, beta, c, ldc) }

  public static func trsm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Double>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Double>, _ ldb: Int32
  ) { cblas_dtrsm(CblasRowMajor, side, uplo, trans, CblasNonUnit, m, n, 1, a, lda, b, ldb) }

  public static func trmm(
    _ side: CBLAS_SIDE, _ uplo: CBLAS_UPLO, _ trans: CBLAS_TRANSPOSE, _ m: Int32, _ n: Int32, _ a: UnsafePointer<Double>, _ lda: Int32,
    _ b: UnsafeMutablePointer<Double>, _ ldb: Int32
  ) { cblas_dtrmm(CblasRowMajor, side, uplo, trans, CblasNonUnit, m, n, 1, a, lda, b, ldb) }

  public static func potrf(_ uplo: CChar, _ n: Int32, _ a: UnsafeMutablePointer<Double>, _ lda: Int32) -> Int32 {
    LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, uplo, n, a, lda)
  }

  public static func pocon(_ uplo: CChar, _ n: Int32, _ factor: UnsafePointer<Double>, _ lda: Int32, _ norm: Double) -> Double {
    var reciprocal: Double = 0
    LAPACKE_dpocon(LAPACK_COL_MAJOR, uplo, n, factor, lda, norm, &reciprocal)
    return reciprocal
  }
}
