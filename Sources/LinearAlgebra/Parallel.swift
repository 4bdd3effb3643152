import Dispatch
import Glibc
import Synchronization

/// The cores that a job's work is spread over.
///
/// BLAS runs on one thread: all parallelism is in the functions of this file, over parts that depend on the sizes of the
/// data only. So results have the same bits on any number of cores, and nothing waits for BLAS's own threads.
public enum Cores {
  private static let limit = Atomic<Int>(0)

  /// Most threads that compute for one caller; process-wide. At first, and after 0 is set: all of the machine's.
  public static var perJob: Int {
    get {
      let limit = limit.load(ordering: .relaxed)
      return limit > 0 ? limit : DispatchQueue.concurrentWidth
    }
    set { limit.store(max(0, newValue), ordering: .relaxed) }
  }
}

extension DispatchQueue {
  fileprivate static let concurrentWidth = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Runs `body` for 0, 1, … below `count`, on `Cores.perJob` threads, the first ones first.
///
/// - Parameter body: Must not touch what another index's call writes, nor call this function or `forEachSlice`.
public func forEachTask(_ count: Int, _ body: (Int) -> Void) {
  let threads = min(Cores.perJob, count)
  guard threads > 1 else {
    for index in 0..<count { body(index) }
    return
  }
  let next = Atomic<Int>(0)
  nonisolated(unsafe) let task = body  // reason: its calls get different indices and end before this returns
  DispatchQueue.concurrentPerform(iterations: threads) { _ in
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      task(index)
    }
  }
}

/// Splits `0..<count` into contiguous slices and runs `body` on them like `forEachTask`.
///
/// - Parameters:
///   - minimum: Fewer elements than this aren't worth a slice of their own.
///   - body: Called with ranges that together are `0..<count`.
public func forEachSlice(of count: Int, minimum: Int = 1, _ body: (Range<Int>) -> Void) {
  guard count > 0 else { return }
  let slices = min(256, max(1, count / max(1, minimum)))
  forEachTask(slices) { body(count * $0 / slices..<count * ($0 + 1) / slices) }
}

/// Splits `0..<count` into slices of `length` elements, the last one perhaps shorter, and runs `body` on them like `forEachTask`.
public func forEachSlice(of count: Int, length: Int, _ body: (Range<Int>) -> Void) {
  forEachTask((count + length - 1) / length) { body($0 * length..<min(count, ($0 + 1) * length)) }
}
