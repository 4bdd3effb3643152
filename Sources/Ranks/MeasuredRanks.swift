import Synchronization

/// A group that counts what its exchanges take.
public final class MeasuredRanks: RankGroup {
  public struct Traffic: Sendable, Hashable {
    /// Spent in exchanges, waiting for other ranks included.
    public var seconds = 0.0
    /// That this rank sent.
    public var bytes = 0
    public var exchanges = 0
  }

  private let group: any RankGroup
  private let counted = Mutex(Traffic())

  public init(_ group: any RankGroup) { self.group = group }

  public var rank: Int { group.rank }
  public var count: Int { group.count }
  /// So far.
  public var traffic: Traffic { counted.withLock { $0 } }

  public func exchange(_ sent: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) throws {
    let start = ContinuousClock.now
    try group.exchange(sent, into: received)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    counted.withLock { traffic in
      traffic.seconds += seconds
      for (rank, part) in sent.enumerated() where rank != group.rank { traffic.bytes += part.count }
      traffic.exchanges += 1
    }
  }

  public func abandon(_ reason: String) { group.abandon(reason) }
}
