import Dispatch

/// Splits `0..<count` into contiguous slices, one or more for each core, and runs `body` on them at once.
///
/// The slices depend on `count` and `minimum` only, never on the number of cores, so that sums taken slice by slice have the
/// same bits everywhere. Don't call BLAS inside: its threads are process-wide.
///
/// - Parameters:
///   - minimum: Fewer elements than this aren't worth a slice of their own.
///   - body: Called with ranges that together are `0..<count`; must not touch what another range's call writes.
public func forEachSlice(of count: Int, minimum: Int = 1, _ body: (Range<Int>) -> Void) {
  guard count > 0 else { return }
  let slices = min(64, max(1, count / max(1, minimum)))
  guard slices > 1 else { return body(0..<count) }
  nonisolated(unsafe) let slice = body  // reason: its calls get disjoint ranges and end before this returns
  DispatchQueue.concurrentPerform(iterations: slices) { index in
    slice(count * index / slices..<count * (index + 1) / slices)
  }
}
