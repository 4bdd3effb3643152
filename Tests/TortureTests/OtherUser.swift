import Foundation

/// Runs the daemon as a user who may not read what root's tests may.
enum OtherUser {
  static let id: uid_t = 65534

  static let wrapper = ["setpriv", "--reuid=\(id)", "--regid=\(id)", "--clear-groups"]

  static let isAllowed: Bool = {
    let works = ChildProcess.succeeds(wrapper + ["test", "-x", DaemonProcess.executable])
    if !works { print("*** the daemon can't be started as another user here: files that may not be read are NOT TESTED ***") }
    return works
  }()
}
