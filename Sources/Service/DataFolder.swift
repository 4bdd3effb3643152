import Checkpoint
import Cluster
import Foundation
import JobModel

/// The daemon's own folder: `gptqd.sqlite`, `work/<job>`, `artifacts/<job>`, `attempts/<job>/<number>`, `uploads`; used by one daemon at a time.
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
      for folder in [
        JobFolders.works(in: url), JobFolders.artifacts(in: url), JobFolders.attempts(in: url), url.appending(component: "models"),
        url.appending(component: "datasets"),
        url.appending(component: "hub"),
      ] + UploadFolder(in: url).folders { try DurableFile.makeFolder(folder, permissions: 0o700) }
    } catch {
      throw .unusable(folder: url.path, reason: error.description)
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

  /// What clients uploaded.
  var uploads: UploadFolder { UploadFolder(in: url) }
  /// Models of the Hub.
  var hub: URL { url.appending(component: "hub") }
  /// SHA-256 of large files of models.
  var hashFile: URL { url.appending(component: "hashes.json") }

  private var work: URL { JobFolders.works(in: url) }
  private var attempts: URL { JobFolders.attempts(in: url) }
  private var artifacts: URL { JobFolders.artifacts(in: url) }
  private var models: URL { url.appending(component: "models") }
  private var datasets: URL { url.appending(component: "datasets") }

  /// For jobs that run on a cluster.
  var clusterFolders: ClusterFolders {
    let url = url
    return ClusterFolders(
      attempts: JobFolders.attempts(in: url), blocks: { JobFolders($0.text, in: url).blocks },
      artifact: { JobFolders($0.text, in: url).artifact })
  }

  public func folders(for job: String) -> JobFolders { JobFolders(job, in: url) }

  /// Bytes on disk of everything in the folder, models and datasets that were put or uploaded there left out.
  var size: Int {
    Self.size(work) + Self.size(artifacts) + Self.size(attempts) + Self.size(hub) + databaseSizes
  }

  private var databaseSizes: Int { ["", "-wal", "-shm"].reduce(0) { $0 + databaseSize($1) } }

  /// - Parameter ending: Of the database's own file, empty.
  func databaseSize(_ ending: String) -> Int { FileIdentity(of: URL(filePath: database.path + ending))?.size ?? 0 }

  /// Bytes on disk, by what they are for.
  var sizes: [(kind: String, bytes: Int)] {
    [work, artifacts, attempts, models, datasets, uploads.url, hub].map { ($0.lastPathComponent, Self.size($0)) } + [
      ("database", databaseSizes)
    ]
  }

  func size(of job: JobID) -> Int {
    let folders = folders(for: job.text)
    return Self.size(folders.work) + Self.size(folders.artifact)
  }

  static func size(_ folder: URL) -> Int {
    guard let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return 0 }
    return files.reduce(0) { size, file in size + ((file as? URL).flatMap { FileIdentity(of: $0)?.size } ?? 0) }
  }

  private var reserve: URL { url.appending(component: "reserve") }
  private static let reserveBytes = 1 << 20

  /// Takes a little space that the database gets when the disk is full, so that the ends of jobs can be stored.
  func keepReserve() {
    let present = FileIdentity(of: reserve)?.size ?? 0
    let bytes = min(Self.reserveBytes, present + (FileManager.freeBytes(in: url) ?? 0) / 8)
    guard present < bytes else { return }
    let descriptor = unsafe open(reserve.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if posix_fallocate(descriptor, 0, off_t(bytes)) != 0 { releaseReserve() }
  }

  func releaseReserve() { _ = unsafe unlink(reserve.path) }

  /// Removes what a daemon that was killed left half-done: artifacts that were never recorded, and of work all but the finished blocks
  /// of jobs that may go on. To be called while no job runs.
  ///
  /// Files of jobs that the database doesn't know stay: it may have been replaced.
  ///
  /// - Parameter statuses: Of all jobs, by id.
  func sweep(_ statuses: [String: JobStatus]) {
    for (job, status) in statuses {
      let folders = folders(for: job)
      if status == .succeeded {
        try? FileManager.default.removeItem(at: folders.work)
      } else {
        try? FileManager.default.removeItem(at: folders.artifact)
        folders.removeUnfinished()
      }
    }
  }

  /// Entries of jobs that the database doesn't know, as paths below the folder.
  func strangers(_ statuses: [String: JobStatus]) -> [String] {
    [work, artifacts, attempts].flatMap { folder in
      ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { statuses[$0] == nil }.sorted()
        .map { folder.lastPathComponent + "/" + $0 }
    }
  }
}
