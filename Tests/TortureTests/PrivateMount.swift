import Foundation

/// Disks of their own for a daemon, in a mount namespace that ends with it.
enum PrivateMount {
  /// Runs a program with a small disk as its data folder.
  ///
  /// - Parameter kibibytes: Size of the disk.
  static func disk(_ kibibytes: Int, at folder: URL) -> [String] {
    inside("mount -t tmpfs -o size=\(kibibytes)k tmpfs \"$0\"", folder)
  }

  /// Runs a program with a data folder that can't be written, by root neither.
  static func readOnly(_ folder: URL) -> [String] { inside("mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\"", folder) }

  private static func inside(_ preparation: String, _ folder: URL) -> [String] {
    ["unshare", "-rm", "sh", "-c", preparation + " && exec \"$@\"", folder.path]
  }

  static let isAllowed: Bool = {
    let works = ChildProcess.succeeds(disk(64, at: URL(filePath: "/mnt")) + ["true"])
    if !works { print("*** mount namespaces (unshare -rm) are not allowed here: full and read-only disks are NOT TESTED ***") }
    return works
  }()
}
