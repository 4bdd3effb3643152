import Foundation

/// The daemon's own folder: `gptqd.sqlite`, `work/<job>`, `artifacts/<job>`; used by one daemon at a time.
public final class DataFolder: Sendable {
  public let url: URL
  private let lock: Int32

  public enum LockError: Error, Hashable, Sendable, CustomStringConvertible {
    case unusable(folder: String, reason: String)
    case inUse(folder: String, pid: String)

    public var description: String {
      switch self {
      case .unusable(let folder, let reason): "the data folder \(folder) can't be used: \(reason)"
      case .inUse(let folder, let pid):
        "the data folder \(folder) is used by another gptqd (pid \(pid)); stop it, or set data.folder to another one"
      }
    }
  }

  /// Makes the folder if it isn't there, and locks it until the process ends.
  ///
  /// - Throws: `LockError`.
  public init(_ url: URL) throws(LockError) {
    self.url = url
    do {
      for name in ["work", "artifacts", "models", "datasets"] {
        try FileManager.default.createDirectory(
          at: url.appending(component: name), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      }
    } catch {
      throw .unusable(folder: url.path, reason: error.localizedDescription)
    }
    let file = Self.lockFile(of: url)
    let lock = unsafe open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw .unusable(folder: url.path, reason: unsafe String(cString: strerror(errno))) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw .inUse(folder: url.path, pid: Self.pid(in: file))
    }
    // Set last: an initializer that throws when all is set runs deinit, whose close could hit another file's descriptor.
    self.lock = lock
    let pid = Array("\(getpid())\n".utf8)
    _ = ftruncate(lock, 0)
    _ = unsafe pwrite(lock, pid, pid.count, 0)
  }

  deinit { close(lock) }

  /// Makes and keeps nothing.
  ///
  /// - Throws: `LockError.inUse`.
  public static func requireUnused(_ url: URL) throws(LockError) {
    let file = lockFile(of: url)
    let lock = unsafe open(file.path, O_RDONLY | O_CLOEXEC)
    guard lock >= 0 else { return }
    defer { close(lock) }
    guard flock(lock, LOCK_SH | LOCK_NB) == 0 else { throw .inUse(folder: url.path, pid: pid(in: file)) }
  }

  private static func lockFile(of url: URL) -> URL { url.appending(component: "gptqd.lock") }

  private static func pid(in file: URL) -> String {
    let text = (try? String(contentsOf: file, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return text.isEmpty ? "unknown" : text
  }

  /// The database of the data folder at `url`.
  public static func database(in url: URL) -> URL { url.appending(component: "gptqd.sqlite") }

  public var database: URL { Self.database(in: url) }

  /// Where the daemon writes its address once it listens.
  public var addressFile: URL { url.appending(component: "gptqd.url") }

  public func folders(for job: String) -> JobFolders {
    JobFolders(
      work: url.appending(component: "work").appending(component: job),
      artifact: url.appending(component: "artifacts").appending(component: job))
  }
}
