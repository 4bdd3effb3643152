import Synchronization

/// Asks a running job to stop; looked at from the worker's thread.
public final class CancellationFlag: Sendable {
  /// Why a job is to stop.
  public enum Reason: Int, Sendable {
    /// Its owner asked.
    case cancelled = 1
    /// The daemon stops; the job will be taken up again.
    case draining = 2
  }

  private let value = Atomic<Int>(0)

  public init() {}

  /// The first reason stays.
  public func set(_ reason: Reason) {
    _ = value.compareExchange(expected: 0, desired: reason.rawValue, ordering: .sequentiallyConsistent)
  }

  public var reason: Reason? { Reason(rawValue: value.load(ordering: .sequentiallyConsistent)) }

  public var isCancelled: Bool { reason != nil }
}
