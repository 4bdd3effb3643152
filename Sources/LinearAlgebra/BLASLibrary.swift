import COpenBLAS

/// The BLAS that this process is linked with.
public enum BLASLibrary {
  /// Version, target and options as OpenBLAS states them, in a buffer that all threads write to when they ask.
  public static let configuration = String(cString: openblas_get_config())

  /// The processor kernels that OpenBLAS chose at start.
  public static let core = String(cString: openblas_get_corename())

  /// A digest of some products: where it is another one, so are the bits of the same products.
  ///
  /// OpenBLAS cuts products by the sizes of the processor's caches too, which the name of its kernels doesn't tell.
  public static let productBits: String = {
    func bits<Scalar: BLASScalar>(_ type: Scalar.Type, _ rows: Int, _ inner: Int) -> UInt64 {
      // 1/3 of small integers: sums of their products are rounded.
      let x = Matrix<Scalar>(rows: inner, columns: rows, elements: (0..<inner * rows).map { Scalar($0 * 37 % 101 - 50) / 3 })
      var results = [Matrix<Scalar>](repeating: Matrix(rows: rows, columns: rows), count: 2)
      x.withView { x in
        results[0].withMutableView { multiply(x, .transposed, by: x, into: $0) }
        results[1].withMutableView { addGram(of: x, to: $0) }
      }
      // FNV-1a of each value's float64.
      return results.flatMap(\.elements).reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ Double($1).bitPattern) &* 0x0000_0100_0000_01B3 }
    }
    let parts = [bits(Float.self, 520, 1100), bits(Float.self, 37, 4096), bits(Double.self, 300, 700)]
    return parts.map { String($0, radix: 16) }.joined(separator: " ")
  }()

  /// Makes BLAS compute on the thread that calls it, before the first call (`Cores`).
  static let isSingleThreaded: Bool = {
    openblas_set_num_threads(1)
    return openblas_get_num_threads() == 1
  }()
}
