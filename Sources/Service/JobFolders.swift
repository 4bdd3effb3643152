import Foundation

/// Where a job may write.
public struct JobFolders: Sendable, Hashable {
  /// Holds finished blocks until the job succeeds, so that a retry goes on from them.
  public let work: URL
  /// Made once, never changed.
  public let artifact: URL

  private static let (works, artifacts, attempts) = ("work", "artifacts", "attempts")

  init(work: URL, artifact: URL) { (self.work, self.artifact) = (work, artifact) }

  /// - Parameter folder: The data folder.
  init(_ job: String, in folder: URL) {
    work = Self.works(in: folder).appending(component: job)
    artifact = Self.artifacts(in: folder).appending(component: job)
  }

  /// The folders of all jobs, in a data folder.
  static func works(in folder: URL) -> URL { folder.appending(component: works) }
  static func artifacts(in folder: URL) -> URL { folder.appending(component: artifacts) }
  static func attempts(in folder: URL) -> URL { folder.appending(component: attempts) }

  /// Finished blocks, in the work folder.
  var blocks: URL { work.appending(component: "blocks") }

  /// Where the artifact is put together, in the work folder.
  var staging: URL { work.appending(component: "artifact") }

  /// Leaves finished blocks in the work folder, and nothing else; no folder where there is none.
  func removeUnfinished() {
    for name in Self.entries(blocks) where name.hasSuffix(".tmp") {
      try? FileManager.default.removeItem(at: blocks.appending(component: name))
    }
    guard !Self.entries(blocks).isEmpty else {
      try? FileManager.default.removeItem(at: work)
      return
    }
    for name in Self.entries(work) where name != blocks.lastPathComponent {
      try? FileManager.default.removeItem(at: work.appending(component: name))
    }
  }

  private static func entries(_ folder: URL) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] }
}
