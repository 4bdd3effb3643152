import Checkpoint
import Foundation
import JobModel
import Synchronization

/// Snapshots of repositories on disk, `hub/org/name/<commit>`, and which of them this daemon's jobs use.
///
/// A folder of that name is complete and verified, and never changes; while it is filled, it is called `<commit>.part`.
final class HubStore: Sendable {
  private struct State {
    var uses: [URL: Int] = [:]
    var downloads: [URL: HubProgress] = [:]
  }

  private let folder: URL
  private let state = Mutex(State())

  /// - Parameter folder: `hub` in the data folder.
  init(folder: URL) { self.folder = folder }

  static let partial = ".part"

  /// Where a commit's files are, or will be.
  func url(of repository: String, commit: String) -> URL { folder.appending(path: repository).appending(component: commit) }

  /// nil where it isn't complete, or the commit isn't known.
  func snapshot(_ reference: HubReference) -> URL? {
    guard let commit = reference.commit else { return nil }
    let url = url(of: reference.hub, commit: commit)
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }

  static func partialURL(of snapshot: URL) -> URL {
    snapshot.deletingLastPathComponent().appending(component: snapshot.lastPathComponent + partial)
  }

  /// Keeps a snapshot from being removed until it is released.
  final class Lease: Sendable {
    let url: URL
    private let store: HubStore

    fileprivate init(_ url: URL, _ store: HubStore) { (self.url, self.store) = (url, store) }

    deinit { store.release(url) }
  }

  func lease(_ snapshot: URL) -> Lease {
    state.withLock { $0.uses[snapshot, default: 0] += 1 }
    return Lease(snapshot, self)
  }

  /// Last use is when the folder was changed last.
  private func release(_ snapshot: URL) {
    try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: snapshot.path)
    state.withLock { state in
      let uses = state.uses[snapshot, default: 1] - 1
      state.uses[snapshot] = uses > 0 ? uses : nil
    }
  }

  /// Lets one job at a time fill a snapshot.
  ///
  /// - Returns: nil: it is the caller's to fill, until `endDownload`; else how far another job has come.
  func beginDownload(of snapshot: URL, _ progress: HubProgress) -> HubProgress? {
    state.withLock { state in
      if let other = state.downloads[snapshot] { return other }
      state.downloads[snapshot] = progress
      return nil
    }
  }

  func endDownload(of snapshot: URL) { state.withLock { $0.downloads[snapshot] = nil } }

  /// A folder of the store.
  struct Entry: Sendable, Hashable {
    /// `org/name`.
    let repository: String
    let commit: String
    let isPartial: Bool
    let url: URL
    let lastUse: Date
    /// Bytes.
    let size: Int
  }

  func entries() -> [Entry] {
    var entries: [Entry] = []
    for organization in Self.names(folder) {
      for name in Self.names(folder.appending(component: organization)) {
        let repository = folder.appending(component: organization).appending(component: name)
        for commit in Self.names(repository) {
          let url = repository.appending(component: commit)
          let isPartial = commit.hasSuffix(Self.partial)
          entries.append(
            Entry(
              repository: "\(organization)/\(name)", commit: isPartial ? String(commit.dropLast(Self.partial.count)) : commit,
              isPartial: isPartial, url: url, lastUse: Self.modified(url), size: DataFolder.size(url)))
        }
      }
    }
    return entries
  }

  private static func names(_ folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
  }

  private static func modified(_ url: URL) -> Date {
    (try? FileManager.default.attributesOfItem(atPath: url.path))?[.modificationDate] as? Date ?? .distantPast
  }

  /// - Returns: false where a job uses it.
  func remove(_ entry: Entry) -> Bool {
    let snapshot = url(of: entry.repository, commit: entry.commit)
    // Renamed under the lock, so that a job finds all of it or nothing; hidden, so that it isn't listed again.
    let removed = entry.url.deletingLastPathComponent().appending(component: ".removed-" + UUID().uuidString)
    let isUnused = state.withLock { state in
      guard state.uses[snapshot] == nil else { return false }
      return unsafe rename(entry.url.path, removed.path) == 0
    }
    if isUnused { try? FileManager.default.removeItem(at: removed) }
    for folder in [snapshot.deletingLastPathComponent(), snapshot.deletingLastPathComponent().deletingLastPathComponent()] {
      _ = unsafe rmdir(folder.path)
    }
    return isUnused
  }

  /// Removes what an earlier daemon was removing. To be called while no job runs.
  func sweep() {
    for organization in Self.names(folder) {
      for name in Self.names(folder.appending(component: organization)) {
        let repository = folder.appending(component: organization).appending(component: name)
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: repository.path)) ?? [] where entry.hasPrefix(".removed-") {
          try? FileManager.default.removeItem(at: repository.appending(component: entry))
        }
      }
    }
  }
}

/// How far a download is; asked from other threads than those that fill it.
final class HubProgress: Sendable {
  private let state = Mutex((done: 0, total: 0))

  var counts: (done: Int, total: Int) { state.withLock { $0 } }

  func begin(done: Int, total: Int) { state.withLock { $0 = (done, total) } }

  /// - Parameter bytes: Fewer than 0 where they were wrong.
  func add(_ bytes: Int) { state.withLock { $0.done += bytes } }
}
