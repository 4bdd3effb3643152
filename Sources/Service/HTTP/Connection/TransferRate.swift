import NIOCore

/// Whether bytes come or go fast enough, judged over windows of time.
struct TransferRate {
  enum Verdict: Equatable {
    case tooSlow
    /// To be judged again after this time.
    case open(TimeAmount)
  }

  /// Bytes a second; 0: any rate is fast enough.
  let least: Int
  let window: TimeAmount
  private var bytes = 0

  init(least: Int, window: TimeAmount) {
    (self.least, self.window) = (least, window)
  }

  mutating func add(_ count: Int) { bytes += count }

  /// - Parameter elapsed: Since the window began; after a verdict other than `.open` of less than a window, a new one begins.
  mutating func judge(elapsed: TimeAmount) -> Verdict {
    guard elapsed >= window else { return .open(window - elapsed) }
    let needed = Double(least) * Double(elapsed.nanoseconds) / 1e9
    defer { bytes = 0 }
    return Double(bytes) < needed ? .tooSlow : .open(window)
  }
}
