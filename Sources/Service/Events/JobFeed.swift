import JobModel
import NIOCore
import Synchronization

/// A job's readers and what they share. Waiting, a reader is a continuation; slow, it holds the message that it gets, and no others.
final class JobFeed: Sendable {
  private struct Reader {
    let channel: any Channel
    var waiting: CheckedContinuation<Void, Never>?
    /// The reader was woken while it wasn't waiting.
    var isAwake = false
  }

  private struct State {
    var log: EventLog
    var readers: [Int: Reader] = [:]
    var lastReader = 0
  }

  private let state: Mutex<State>

  init(_ log: EventLog) { state = Mutex(State(log: log)) }

  /// Changes what readers share.
  ///
  /// - Parameter change: Returns whether readers are to look.
  func change(_ change: (inout EventLog) throws -> Bool) rethrows {
    let waiting = try state.withLock { state in try change(&state.log) ? Self.wakeAll(&state) : [] }
    for continuation in waiting { continuation.resume() }
  }

  func end(_ end: StreamEnd) {
    change { log in
      log.end(end)
      return true
    }
  }

  private static func wakeAll(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
    state.readers.keys.compactMap { wake($0, &state) }
  }

  private static func wake(_ reader: Int, _ state: inout State) -> CheckedContinuation<Void, Never>? {
    state.readers[reader]?.isAwake = true
    return state.readers[reader]?.waiting.take()
  }

  /// - Parameter channel: Of the reader's connection.
  /// - Returns: The reader's number.
  func enter(_ channel: any Channel) -> Int {
    let reader = state.withLock { state in
      state.lastReader += 1
      state.readers[state.lastReader] = Reader(channel: channel)
      return state.lastReader
    }
    channel.closeFuture.whenComplete { [weak self] _ in self?.wake(reader) }
    return reader
  }

  func leave(_ reader: Int) { state.withLock { $0.readers[reader] = nil } }

  var isEmpty: Bool { state.withLock { $0.readers.isEmpty } }

  private func wake(_ reader: Int) { state.withLock { Self.wake(reader, &$0) }?.resume() }

  /// Sends a reader what there is, until the end.
  ///
  /// - Parameter earlier: Reads some of the events after a number.
  /// - Throws: `CancellationError` when the connection is gone, and what the closures throw.
  func send(
    to reader: Int, from cursor: EventLog.Cursor, earlier: (Int) async throws -> [JobEvent], write: (ByteBuffer) async throws -> Void
  ) async throws {
    var cursor = cursor
    while true {
      switch try await next(reader, &cursor) {
      case .send(let buffer): try await write(buffer)
      case .readEarlier(let end):
        let batch = try EventLog.batch(try await earlier(cursor.sequence))
        // None are left where the job was deleted meanwhile.
        cursor.sequence = batch.last ?? end
        try await write(batch.buffer)
      case .end(let buffer): return try await write(buffer)
      case .wait: break
      }
    }
  }

  /// What a reader gets next; waits while there is nothing.
  ///
  /// - Throws: `CancellationError`, also when the connection is gone.
  private func next(_ reader: Int, _ cursor: inout EventLog.Cursor) async throws -> EventLog.Step {
    while true {
      let (step, isGone) = state.withLock { state in
        state.readers[reader]?.isAwake = false
        return (state.log.next(&cursor), state.readers[reader]?.channel.isActive != true)
      }
      if isGone || Task.isCancelled { throw CancellationError() }
      guard case .wait = step else { return step }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isAwake = state.withLock { state in
            guard state.readers[reader]?.isAwake == false else { return true }
            state.readers[reader]?.waiting = continuation
            return false
          }
          if isAwake { continuation.resume() }
        }
      } onCancel: {
        wake(reader)
      }
    }
  }

  /// Ends the connections of readers who don't take what is sent to them.
  func cutOff() {
    let channels = state.withLock { $0.readers.values.map(\.channel) }
    for channel in channels { channel.close(promise: nil) }
  }
}
