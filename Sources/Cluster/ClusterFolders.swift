import Checkpoint
import Foundation
import JobModel

/// Where what attempts need, and what comes of them, is in the data folder.
public struct ClusterFolders: Sendable {
  private let attempts: URL
  private let blocks: @Sendable (JobID) -> URL
  private let artifact: @Sendable (JobID) -> URL

  /// - Parameters:
  ///   - attempts: Holds a folder for each job, with one for each attempt.
  ///   - blocks: Where a job's finished blocks are between two attempts.
  ///   - artifact: Where a job's artifact is published.
  public init(attempts: URL, blocks: @escaping @Sendable (JobID) -> URL, artifact: @escaping @Sendable (JobID) -> URL) {
    (self.attempts, self.blocks, self.artifact) = (attempts, blocks, artifact)
  }

  private func folder(of job: JobID) -> URL { attempts.appending(component: job.text) }

  package func attempt(_ number: Int, of job: JobID) -> AttemptFolder { AttemptFolder(folder(of: job).appending(component: "\(number)")) }

  /// Makes sure that no earlier attempt is heard any more, and takes over what it finished.
  package func retireAttempts(of job: JobID, before number: Int) throws {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder(of: job).path)) ?? []
    for earlier in names.compactMap({ Int($0) }).filter({ $0 < number }).sorted() {
      let folder = attempt(earlier, of: job)
      try folder.raiseFence()
      try retire(folder, of: job)
    }
  }

  /// Keeps the blocks that an attempt finished for the next one, and removes the rest of what it made. Its worker may still run.
  package func retire(_ attempt: AttemptFolder, of job: JobID) throws {
    if FileManager.default.fileExists(atPath: attempt.blocks.path) { try FolderMirror.mirror(attempt.blocks, at: blocks(job)) }
    for folder in [attempt.work, attempt.artifact] { try? FileManager.default.removeItem(at: folder) }
  }

  /// Gives an attempt the blocks that earlier ones finished.
  package func handBlocks(of job: JobID, to attempt: AttemptFolder) throws(CheckpointError) {
    try DurableFile.makeFolder(attempt.work, permissions: 0o700)
    guard FileManager.default.fileExists(atPath: blocks(job).path), !FileManager.default.fileExists(atPath: attempt.blocks.path) else {
      return
    }
    try DurableFile.move(blocks(job), to: attempt.blocks)
  }

  /// Moves an attempt's artifact to its place; done before, it stays there.
  ///
  /// - Returns: false where there is none.
  package func publish(_ attempt: AttemptFolder, of job: JobID) throws(CheckpointError) -> Bool {
    let target = artifact(job)
    if FileManager.default.fileExists(atPath: attempt.artifact.path) { try DurableFile.move(attempt.artifact, to: target) }
    return FileManager.default.fileExists(atPath: target.path)
  }

  /// Removes all that a job's attempts left.
  public func remove(_ job: JobID) { try? FileManager.default.removeItem(at: folder(of: job)) }

  /// Ends the work of all attempts that a daemon with this executor left running.
  public func fenceAll() {
    let jobs = (try? FileManager.default.contentsOfDirectory(atPath: attempts.path)) ?? []
    for job in jobs.compactMap({ JobID($0) }) { try? retireAttempts(of: job, before: .max) }
  }
}
