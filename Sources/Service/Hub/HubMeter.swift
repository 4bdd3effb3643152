import JobModel
import JobStore

/// Turns a download's bytes into a job's progress.
struct HubMeter {
  private let journal: JobJournal
  private let start = ContinuousClock.now
  private var first: Int?
  private var last: (time: ContinuousClock.Instant, done: Int)?
  /// Progress is a durable write.
  private static let interval = Duration.milliseconds(250)

  init(_ journal: JobJournal) { self.journal = journal }

  mutating func report(_ progress: HubProgress) throws {
    let (done, total) = progress.counts
    let now = ContinuousClock.now
    if let last { guard last.done != done, done == total || now - last.time >= Self.interval else { return } }
    guard total > 0 else { return }
    last = (now, done)
    let before = first ?? done
    first = before
    let seconds = (now - start) / .seconds(1)
    let eta = done > before && seconds > 1 ? seconds / Double(done - before) * Double(total - done) : nil
    try journal.progress(
      .init(
        done: 0, total: 0, fraction: min(1, Double(done) / Double(total)), etaSeconds: eta, bytesDone: done, bytesTotal: total))
  }
}
