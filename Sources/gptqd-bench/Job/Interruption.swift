import Foundation
import Synchronization

/// What Ctrl-C ends and removes besides this program.
enum Interruption {
  private struct Leftovers {
    var processes: Set<Int32> = []
    var folders: Set<URL> = []
  }

  private static let leftovers = Mutex(Leftovers())

  static func began(process: Int32) { leftovers.withLock { _ = $0.processes.insert(process) } }
  static func ended(process: Int32) { leftovers.withLock { _ = $0.processes.remove(process) } }

  /// Lends a new folder that is removed afterwards.
  static func withTemporaryFolder<Result>(in parent: URL, _ body: (URL) throws -> Result) throws -> Result {
    let folder = parent.appending(component: "gptqd-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    leftovers.withLock { _ = $0.folders.insert(folder) }
    defer {
      leftovers.withLock { _ = $0.folders.remove(folder) }
      try? FileManager.default.removeItem(at: folder)
    }
    return try body(folder)
  }

  /// Runs `body`; SIGINT and SIGTERM meanwhile stop the program after cleaning up.
  static func guarding(_ body: () throws -> Void) rethrows {
    let sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { stop(status: 128 + number) }
      source.resume()
      return source
    }
    defer { for source in sources { source.cancel() } }
    try body()
  }

  private static func stop(status: Int32) {
    leftovers.withLock { leftovers in
      for process in leftovers.processes { kill(process, SIGKILL) }
      for folder in leftovers.folders { try? FileManager.default.removeItem(at: folder) }
      // exit would free OpenBLAS's buffers while other threads still multiply.
      _exit(status)
    }
  }
}
