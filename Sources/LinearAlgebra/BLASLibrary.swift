import COpenBLAS

/// The BLAS that this process is linked with.
public enum BLASLibrary {
  /// Version, target and options as OpenBLAS states them.
  public static var configuration: String { String(cString: openblas_get_config()) }

  /// The processor kernels that OpenBLAS chose at start.
  public static var core: String { String(cString: openblas_get_corename()) }

  /// Makes BLAS compute on the thread that calls it, before the first call (`Cores`).
  static let isSingleThreaded: Bool = {
    openblas_set_num_threads(1)
    return openblas_get_num_threads() == 1
  }()
}
