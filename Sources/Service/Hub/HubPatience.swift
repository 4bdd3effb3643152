import Foundation

/// Waits after failures that may pass, longer each time, and gives up at last.
struct HubPatience {
  private let settings: HubSettings
  private let isCancelled: () -> Bool
  private var failures = 0

  private static let longestPause = Duration.seconds(300)

  init(_ settings: HubSettings, isCancelled: @escaping () -> Bool) { (self.settings, self.isCancelled) = (settings, isCancelled) }

  /// Blocks the thread until another try makes sense.
  ///
  /// - Parameter hasProgressed: The failure counts as the first again.
  /// - Throws: `error` where no other try makes sense, `HubError.cancelled`.
  mutating func wait(after error: HubError, hasProgressed: Bool = false) throws(HubError) {
    failures = hasProgressed ? 1 : failures + 1
    guard error.isTransient, failures < settings.tries else { throw error }
    var pause = min(settings.pause * Double(1 << min(failures - 1, 16)), Self.longestPause)
    if case .busy(_, let asked?) = error {
      guard asked <= Self.longestPause else { throw error }
      pause = max(pause, asked)
    }
    let end = ContinuousClock.now + pause
    while ContinuousClock.now < end {
      if isCancelled() { throw .cancelled }
      usleep(20_000)
    }
  }
}
