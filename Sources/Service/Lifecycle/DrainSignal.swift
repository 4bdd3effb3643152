import Synchronization

/// Set once the daemon has been asked to stop.
public final class DrainSignal: Sendable {
  private let value = Atomic<Bool>(false)

  public init() {}

  public var isDraining: Bool { value.load(ordering: .sequentiallyConsistent) }

  public func set() { value.store(true, ordering: .sequentiallyConsistent) }
}
