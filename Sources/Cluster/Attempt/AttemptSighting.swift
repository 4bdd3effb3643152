import Foundation

/// What an attempt's folder shows at a moment.
struct AttemptSighting: Sendable {
  let isStarted: Bool
  /// What the worker wrote that it lives; nil: nothing.
  let pulse: Data?
  /// Of the journal, beyond what was read before.
  let tail: JournalTail

  /// Blocks, on a network file system perhaps for long.
  ///
  /// - Parameter offset: Where the journal's lines begin that weren't read.
  /// - Throws: `AttemptError.damagedJournal`.
  init(of folder: AttemptFolder, from offset: Int) throws(AttemptError) {
    isStarted = folder.isStarted
    pulse = try? Data(contentsOf: folder.pulse)
    tail = try JournalTail(of: folder, from: offset)
  }
}

/// When a worker last showed that it lives.
struct Pulse {
  private var last: Data?
  private var changedAt = ContinuousClock.now

  mutating func see(_ pulse: Data?) { if pulse != last { (last, changedAt) = (pulse, .now) } }

  func isSilent(for time: Duration) -> Bool { ContinuousClock.now - changedAt >= time }
}
