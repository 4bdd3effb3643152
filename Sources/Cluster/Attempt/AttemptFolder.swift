import Checkpoint
import Foundation

/// The folder of one attempt at a job, on a disk that the daemon and all nodes share: all that the two tell each other.
///
/// An attempt writes below its folder only, and only the daemon takes something out of it. Whoever makes the file `started` first, owns
/// the attempt: a worker that finds it there ends at once, however often the scheduler starts it, and a daemon that made it knows that
/// none will ever begin.
public struct AttemptFolder: Sendable, Hashable {
  public let url: URL

  public init(_ url: URL) { self.url = url }

  /// What is to be done.
  package var specification: URL { url.appending(component: "attempt.json") }
  /// What was done, written by the worker.
  package var journal: URL { url.appending(component: "journal.jsonl") }
  /// Changes as long as the worker lives.
  package var pulse: URL { url.appending(component: "pulse") }
  package var script: URL { url.appending(component: "batch.sh") }
  /// What the worker and the scheduler say on standard output and error.
  package var log: URL { url.appending(component: "slurm.log") }
  private var token: URL { url.appending(component: "started") }
  private var fence: URL { url.appending(component: "fenced") }

  /// Where the worker works.
  public var work: URL { url.appending(component: "work") }
  /// Finished blocks, in the work folder.
  public var blocks: URL { work.appending(component: "blocks") }
  /// What comes of it.
  public var artifact: URL { url.appending(component: "artifact") }

  /// Makes the folder.
  package func make() throws(CheckpointError) { try DurableFile.makeFolder(url, permissions: 0o700) }

  // MARK: - Who owns it

  /// Takes the attempt for the caller.
  ///
  /// - Parameter owner: For people who look at the file.
  /// - Returns: false where another has it.
  package func claim(by owner: String) throws(CheckpointError) -> Bool {
    let descriptor = unsafe open(token.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      guard errno == EEXIST else { throw .writing(token) }
      return false
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try? file.write(contentsOf: Data((owner + "\n").utf8))
    try? file.synchronize()
    try DurableFile.syncFolder(url)
    return true
  }

  package var isStarted: Bool { FileManager.default.fileExists(atPath: token.path) }

  /// Tells the worker that nothing it does counts any more.
  package func raiseFence() throws(CheckpointError) { try DurableFile.write(Data("\n".utf8), to: fence) }

  /// Also where the folder is gone.
  package var isFenced: Bool {
    FileManager.default.fileExists(atPath: fence.path) || !FileManager.default.fileExists(atPath: specification.path)
  }

  /// The last lines of what worker and scheduler said.
  package var lastWords: String {
    guard let file = try? FileHandle(forReadingFrom: log), let size = try? file.seekToEnd() else { return "" }
    try? file.seek(toOffset: size > 2000 ? size - 2000 : 0)
    let text = String(decoding: (try? file.read(upToCount: 2000)) ?? Data(), as: UTF8.self)
    return text.split(separator: "\n").suffix(5).joined(separator: " / ")
  }
}
