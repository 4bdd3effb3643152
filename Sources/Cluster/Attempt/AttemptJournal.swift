import Checkpoint
import Foundation
import JobModel
import JobStore
import Synchronization

/// Who works on an attempt.
public struct WorkerIdentity: Codable, Sendable, Hashable {
  public var host: String
  public var process: Int32
  /// The scheduler's number of the job, as the worker was told.
  public var schedulerJob: String?
  /// Of processes that work together.
  public var ranks: Int

  public init(host: String, process: Int32, schedulerJob: String?, ranks: Int) {
    (self.host, self.process, self.schedulerJob, self.ranks) = (host, process, schedulerJob, ranks)
  }
}

/// How an attempt ended, as its worker tells.
public enum AttemptEnd: Codable, Sendable, Hashable {
  /// The job has come to its end.
  case outcome(JobOutcome)
  /// The worker was told to stop, or nothing came of it for a reason that says nothing about the job.
  case stopped(reason: String)
}

/// A line of an attempt's journal.
package struct JournalLine: Codable, Hashable {
  package enum Content: Codable, Hashable {
    case started(WorkerIdentity)
    case work(JournalEntry)
    case ended(AttemptEnd)
  }

  package let at: Date
  package let content: Content

  package init(at: Date, content: Content) { (self.at, self.content) = (at, content) }
}

/// Takes down what a job on another machine does in a file, which the daemon reads.
public final class AttemptJournal: JobRecorder {
  public let job: JobID
  public let attempt: Int
  private let history: [DampingHistory]
  private let file: Mutex<FileHandle>
  private let path: String

  /// - Throws: `AttemptError`.
  package init(_ specification: AttemptSpecification, in folder: AttemptFolder) throws(AttemptError) {
    (job, attempt, history) = (specification.job.id, specification.job.attempt, specification.history)
    path = folder.journal.path
    do {
      let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw CheckpointError.writing(folder.journal) }
      try DurableFile.syncFolder(folder.url)
      file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    } catch {
      throw .unreadable(file: path, reason: "\(error)")
    }
  }

  public func record(_ entry: JournalEntry) throws { try write(.work(entry)) }

  public func knownDamping(of layer: String, in context: DampingContext, before moment: Date) throws -> KnownDamping? {
    history.first { $0.layer == layer && $0.context == context }?.known
  }

  /// Returns when the line is durable.
  package func write(_ content: JournalLine.Content) throws {
    let line = try APICoding.encode(JournalLine(at: Date(), content: content)) + Data("\n".utf8)
    try file.withLock { file in
      try file.write(contentsOf: line)
      try file.synchronize()
    }
  }
}
