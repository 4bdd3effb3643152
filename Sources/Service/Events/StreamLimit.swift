import JobModel
import Synchronization

/// Connections that may be streams of events at once, so that others stay for everything else.
final class StreamLimit: Sendable {
  private let capacity: Int
  private let used = Mutex(0)

  /// - Parameter connections: That the server takes at once.
  init(connections: Int) { capacity = max(1, connections / 4 * 3) }

  /// Given back when nobody has it any more.
  final class Place: Sendable {
    private let limit: StreamLimit

    fileprivate init(_ limit: StreamLimit) { self.limit = limit }

    deinit { limit.used.withLock { $0 -= 1 } }
  }

  /// - Throws: `Refusal` (429).
  func take() throws(Refusal) -> Place {
    let isFree = used.withLock { used in
      guard used < capacity else { return false }
      used += 1
      return true
    }
    guard isFree else { throw .busy("all \(capacity) streams of events, three quarters of http.max_connections, are in use") }
    return Place(self)
  }
}
