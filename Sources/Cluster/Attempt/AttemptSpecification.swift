import Checkpoint
import Foundation
import JobModel
import JobStore

/// What a worker needs to know of a job: it asks nobody.
public struct AttemptSpecification: Codable, Sendable {
  /// Files that a job reads, as all nodes see them.
  public struct Files: Codable, Sendable, Hashable {
    public var model: URL
    public var calibration: URL?
    public var evaluation: URL?

    public init(model: URL, calibration: URL?, evaluation: URL?) {
      (self.model, self.calibration, self.evaluation) = (model, calibration, evaluation)
    }
  }

  /// As it was when the attempt was made.
  public var job: Job
  public var files: Files
  /// What was learned of its layers' damping before.
  public var history: [DampingHistory]
  /// Of each node; nil: as many as the scheduler gave.
  public var cores: Int?
  /// Bytes that may be resident on each node; nil: as the scheduler or the machine says.
  public var memory: Int?
  public var maxShardBytes: Int
  public var nodes: Int

  /// - Throws: `AttemptError` for one that isn't there or can't be read.
  public init(of folder: AttemptFolder) throws(AttemptError) {
    let file = folder.specification
    do {
      self = try APICoding.decode(AttemptSpecification.self, from: Data(contentsOf: file))
    } catch let error as CocoaError where error.isFileError {
      throw .noAttempt(folder: folder.url.path)
    } catch {
      throw .unreadable(file: file.path, reason: "\(error)")
    }
  }

  package init(
    job: Job, files: Files, history: [DampingHistory], cores: Int?, memory: Int?, maxShardBytes: Int, nodes: Int
  ) {
    (self.job, self.files, self.history, self.cores) = (job, files, history, cores)
    (self.memory, self.maxShardBytes, self.nodes) = (memory, maxShardBytes, nodes)
  }

  package func write(to folder: AttemptFolder) throws { try DurableFile.write(APICoding.encode(self), to: folder.specification) }
}

/// Why an attempt can't be made or followed.
public enum AttemptError: Error, Hashable, CustomStringConvertible {
  case noAttempt(folder: String)
  case unreadable(file: String, reason: String)
  /// - Parameter offset: Of the line, in bytes.
  case damagedJournal(file: String, offset: Int, reason: String)

  public var description: String {
    switch self {
    case .noAttempt(let folder): "\(folder) holds no attempt: it was withdrawn, or the folder isn't shared with this machine"
    case .unreadable(let file, let reason): "\(file) can't be read: \(reason)"
    case .damagedJournal(let file, let offset, let reason): "\(file) can't be read from byte \(offset) on: \(reason)"
    }
  }
}
