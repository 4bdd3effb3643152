import Foundation
import NIOCore
import Synchronization

/// Counts refused tokens by the address that they came from, a minute at a time.
package final class FailureLimiter: Sendable {
  /// What is done about one more failure.
  package struct Verdict: Equatable {
    /// How long the address has to wait; nil: it may try again.
    package var retryAfter: Duration?
    /// Failures to tell of in the log, those since the last time; nil: it was told of less than a minute ago.
    package var logged: Int?

    package init(retryAfter: Duration? = nil, logged: Int? = nil) {
      (self.retryAfter, self.logged) = (retryAfter, logged)
    }
  }

  private struct Entry {
    var start: ContinuousClock.Instant
    var failures = 0
    var unlogged = 0
  }

  private static let window = Duration.seconds(60)

  private let limit: Int
  private let capacity: Int
  private let entries = Mutex<[String: Entry]>([:])

  /// - Parameters:
  ///   - limit: Failures a minute that an address may have.
  ///   - capacity: Addresses that are remembered; the one counted longest is forgotten first.
  package init(limit: Int, capacity: Int = 4096) {
    self.limit = limit
    self.capacity = capacity
  }

  package func failure(from source: String, now: ContinuousClock.Instant = .now) -> Verdict {
    entries.withLock { entries in
      var entry = entries[source] ?? Entry(start: now)
      let isNew = entry.failures == 0 || now - entry.start >= Self.window
      if isNew { (entry.start, entry.failures) = (now, 0) }
      entry.failures += 1
      entry.unlogged += 1
      var verdict = Verdict()
      if isNew { (verdict.logged, entry.unlogged) = (entry.unlogged, 0) }
      if entry.failures > limit { verdict.retryAfter = Self.window - (now - entry.start) }
      if entries[source] == nil, entries.count >= capacity, let oldest = entries.min(by: { $0.value.start < $1.value.start }) {
        entries[oldest.key] = nil
      }
      entries[source] = entry
      return verdict
    }
  }

  /// What stands for a client: its IPv4 address, or the /64 network of its IPv6 address, of which one client has all.
  package static func source(_ address: SocketAddress?) -> String {
    switch address {
    case .v4: return address?.ipAddress ?? "unknown"
    case .v6(let address):
      let bytes = unsafe withUnsafeBytes(of: address.address.sin6_addr) { unsafe Array($0) }
      if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] { return bytes.suffix(4).map { "\($0)" }.joined(separator: ".") }
      let groups = stride(from: 0, to: 8, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
      return groups.joined(separator: ":") + "::/64"
    case .unixDomainSocket, nil: return "unknown"
    }
  }
}
