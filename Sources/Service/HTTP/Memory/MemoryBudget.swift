import JobModel
import Synchronization

/// Bytes of request bodies and of answers that are in memory at once, whatever clients send and however slowly they read.
final class MemoryBudget: Sendable {
  /// Smaller than this, what a connection holds counts for nothing: `http.max_connections` bounds it.
  static let smallSize = 64 << 10

  let capacity: Int
  private let used = Mutex(0)

  var usedBytes: Int { used.withLock { $0 } }

  init(capacity: Int) { self.capacity = capacity }

  /// Bytes that are given back when nobody has the lease any more.
  final class Lease: Sendable {
    private let budget: MemoryBudget
    private let bytes: Int

    fileprivate init(_ budget: MemoryBudget, bytes: Int) {
      (self.budget, self.bytes) = (budget, bytes)
    }

    deinit { budget.used.withLock { $0 -= bytes } }
  }

  /// - Returns: nil for few bytes.
  /// - Throws: `Refusal` (429) where there is no room.
  func lease(_ bytes: Int) throws(Refusal) -> Lease? {
    guard bytes > Self.smallSize else { return nil }
    let hasRoom = used.withLock { used in
      // What is larger than everything gets everything.
      guard used == 0 || used + bytes <= capacity else { return false }
      used += bytes
      return true
    }
    guard hasRoom else { throw .busy("the memory for large requests and answers is in use") }
    return Lease(self, bytes: bytes)
  }
}

extension Refusal {
  static func busy(_ reason: String) -> Refusal {
    Refusal(
      Problem(
        .tooManyRequests, status: 429, title: "The daemon has too much to do", detail: "\(reason); try again in a moment"),
      retryAfter: .seconds(2))
  }
}
