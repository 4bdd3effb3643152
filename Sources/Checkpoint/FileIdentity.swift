import Foundation

/// What changes when a file is replaced or written: two equal ones are of a file that nobody touched between.
public struct FileIdentity: Sendable, Hashable {
  public let device: UInt64
  public let inode: UInt64
  /// Bytes.
  public let size: Int
  /// Nanoseconds since 1970 of the last change of its bytes, as far as programs let it be.
  public let modified: Int
  /// Of the last change of any kind, which programs can't set.
  public let changed: Int

  /// Follows links; nil where there is no such file.
  public init?(of file: URL) {
    var status = stat()
    guard stat(file.path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// - Returns: nil where the descriptor is no regular file's.
  public init?(descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    self.init(status)
  }

  private init(_ status: stat) {
    func nanoseconds(_ time: timespec) -> Int { Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec) }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    size = Int(status.st_size)
    modified = nanoseconds(status.st_mtim)
    changed = nanoseconds(status.st_ctim)
  }
}
