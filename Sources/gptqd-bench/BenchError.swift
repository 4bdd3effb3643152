/// Why a benchmark can't be run.
enum BenchError: Error, CustomStringConvertible {
  /// - log: The end of its messages; nil: they were shown.
  case childFailed(program: String, status: Int32, log: String?)
  case cannotWrite(String)
  case unreadableResult(program: String, reason: String)

  var description: String {
    switch self {
    case .childFailed(let program, let status, let log):
      "\(program) ended with status \(status)" + (log.map { "; its messages end with:\n\($0)" } ?? "; see its message above")
    case .cannotWrite(let path): "\(path) can't be written; give a folder with room by --scratch"
    case .unreadableResult(let program, let reason): "the result of \(program) can't be read: \(reason)"
    }
  }
}
