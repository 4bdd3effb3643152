import JobStore

/// Values sorted into buckets.
struct Histogram: Sendable {
  let buckets: Buckets
  /// Of each bucket alone; the last has no upper bound.
  private(set) var counts: [Double]
  private(set) var sum = 0.0

  init(_ buckets: Buckets) {
    self.buckets = buckets
    counts = Array(repeating: 0, count: buckets.bounds.count + 1)
  }

  mutating func observe(_ value: Double) {
    counts[buckets.index(of: value)] += 1
    sum += value
  }

  /// Adds a stored row of a histogram; `TotalRow.labels` tells which part it has.
  ///
  /// - Parameter label: A bucket's upper bound, or `TotalRow.sumLabel`.
  mutating func add(_ value: Double, at label: String) {
    if label == TotalRow.sumLabel {
      sum += value
    } else {
      counts[buckets.index(of: Double(label) ?? .infinity)] += value
    }
  }
}
