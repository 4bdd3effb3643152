import Foundation

/// Files and sockets that the process may have open.
enum FileDescriptors {
  /// For models, the database and downloads.
  private static let reserve = 256

  /// Raises the process's limit as far as it is allowed.
  ///
  /// - Returns: How many of `wanted` connections there may be.
  static func connections(wanted: Int) -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return wanted }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
    }
    return max(1, min(wanted, Int(clamping: limit.rlim_cur) - reserve))
  }
}
