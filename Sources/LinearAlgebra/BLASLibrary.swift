import COpenBLAS

/// The BLAS that this process is linked with.
public enum BLASLibrary {
  /// Version, target and options as OpenBLAS states them.
  public static var configuration: String { String(cString: openblas_get_config()) }

  /// The processor kernels that OpenBLAS chose at start.
  public static var core: String { String(cString: openblas_get_corename()) }

  /// Threads of one product; process-wide.
  public static var threads: Int {
    get { Int(openblas_get_num_threads()) }
    set { openblas_set_num_threads(Int32(max(1, newValue))) }
  }
}
