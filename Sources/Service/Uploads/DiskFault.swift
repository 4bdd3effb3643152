import Foundation
import JobModel

/// What the system says to a change of a file.
struct DiskFault: Error, CustomStringConvertible {
  let path: String
  /// `errno`.
  let code: Int32

  /// Of the call that has just failed.
  static func last(_ path: String) -> DiskFault { DiskFault(path: path, code: errno) }

  var description: String { unsafe "\(path): \(String(cString: strerror(code)))" }

  var isFull: Bool { [ENOSPC, EDQUOT, EFBIG].contains(code) }

  /// For clients; nil where they can't mend anything.
  var problem: Problem? {
    switch code {
    case _ where isFull, EIO, EROFS:
      Problem(
        .insufficientStorage, status: 507, title: "The disk is full or faulty",
        detail:
          "nothing was kept of the file; free space on the data folder's disk, or delete models, datasets and jobs that are no longer needed"
      )
    case EMFILE, ENFILE:
      Problem(.unavailable, status: 503, title: "The daemon has too many files open", detail: "try again in a moment")
    case ENOTDIR, EISDIR, ELOOP, ENOTEMPTY, EEXIST:
      Problem(
        .conflict, status: 409, title: "The path is taken",
        detail: "a folder of the path is a file of the model, or the path is a folder of it; delete that first, or choose another path")
    default: nil
    }
  }
}
