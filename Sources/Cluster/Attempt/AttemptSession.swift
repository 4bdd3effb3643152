import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore
import Synchronization

/// A worker's hold on an attempt, from the mark that it has begun to the line that tells how it ended.
public final class AttemptSession: Sendable {
  public let specification: AttemptSpecification
  public let folder: AttemptFolder
  /// Set where the attempt was withdrawn, or the worker was told to stop.
  public let cancellation = CancellationFlag()
  public let journal: AttemptJournal
  private let signal = Mutex<String?>(nil)
  private let isOver = Flag()

  /// Between two signs of life, each of which looks whether the attempt was withdrawn.
  private static let interval = Duration.seconds(1)

  /// Takes the attempt.
  ///
  /// - Returns: nil where it was started before, or was withdrawn.
  /// - Throws: `AttemptError` where it can't be read, or its journal can't be written.
  public static func begin(_ specification: AttemptSpecification, in folder: AttemptFolder, as worker: WorkerIdentity) throws
    -> AttemptSession?
  {
    guard !folder.isFenced, try folder.claim(by: "\(worker.host), process \(worker.process)") else { return nil }
    return try AttemptSession(specification, folder, worker)
  }

  private init(_ specification: AttemptSpecification, _ folder: AttemptFolder, _ worker: WorkerIdentity) throws {
    (self.specification, self.folder) = (specification, folder)
    journal = try AttemptJournal(specification, in: folder)
    try journal.write(.started(worker))
    let (cancellation, isOver) = (cancellation, isOver)
    Thread.detachNewThread {
      var beats = 0
      while !isOver.value {
        beats += 1
        Self.beat(beats, folder.pulse)
        if folder.isFenced { cancellation.set(.cancelled) }
        Thread.sleep(forTimeInterval: Self.interval / .seconds(1))
      }
    }
  }

  /// Asks the work to stop.
  ///
  /// - Parameter reason: Why, for the owner of the job.
  public func stop(because reason: String) {
    signal.withLock { $0 = $0 ?? reason }
    cancellation.set(.draining)
  }

  /// Shows no further sign of life, as a process that was killed.
  package func abandon() { isOver.raise() }

  /// Does the work, and tells how it ended.
  public func run(_ work: (AttemptSession) throws -> JobOutcome) throws {
    defer { isOver.raise() }
    try journal.write(.ended(end(of: work)))
  }

  private func end(of work: (AttemptSession) throws -> JobOutcome) -> AttemptEnd {
    do {
      return .outcome(try work(self))
    } catch is CancellationError {
      return cancellation.reason == .draining ? .stopped(reason: signal.withLock { $0 } ?? "it was told to stop") : .outcome(.cancelled)
    } catch let failure as Job.Failure {
      return .outcome(.failed(failure))
    } catch {
      return .outcome(
        .failed(
          Job.Failure(
            code: "internal", detail: "an unexpected error ended the job: \(error)",
            advice: "slurm.log in the attempt's folder may have more.")))
    }
  }

  /// Writes a number that differs from the last one.
  private static func beat(_ number: Int, _ file: URL) {
    if number == 1 { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    guard let handle = FileHandle(forWritingAtPath: file.path) else { return }
    try? handle.write(contentsOf: Data("\(number)\n".utf8))
    try? handle.synchronize()
    try? handle.close()
  }
}

private final class Flag: Sendable {
  private let state = Atomic<Bool>(false)
  var value: Bool { state.load(ordering: .relaxed) }
  func raise() { state.store(true, ordering: .relaxed) }
}
