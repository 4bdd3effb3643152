import JobModel
import JobStore

/// Turns counted floating-point operations into a job's progress.
final class ProgressMeter {
  private var total: Double
  private let layers: Int
  private let journal: JobJournal
  private let start = ContinuousClock.now
  private var done = 0.0
  private var layersDone = 0
  private var layer: String?
  private var lastWritten: ContinuousClock.Instant?
  /// Progress is a durable write, so it isn't made more often than a person looks.
  private static let interval = Duration.milliseconds(250)

  init(total: Double, layers: Int, journal: JobJournal) {
    self.total = total
    self.layers = layers
    self.journal = journal
  }

  /// More work than planned turned out to be needed.
  func extend(by flops: Double) { total += flops }

  /// Work that an earlier start of the job did.
  func skip(layers count: Int, flops: Double) {
    layersDone += count
    total -= flops
  }

  func add(_ flops: Double) throws {
    done += flops
    try write()
  }

  func began(_ name: String) throws {
    layer = name
    try write()
  }

  func finishedLayer() { layersDone += 1 }

  private func write() throws {
    let now = ContinuousClock.now
    if let lastWritten, now - lastWritten < Self.interval { return }
    lastWritten = now
    let fraction = min(1, done / max(total, 1))
    let elapsed = (now - start) / .seconds(1)
    try journal.progress(
      .init(
        layer: layer, done: layersDone, total: layers, fraction: fraction,
        etaSeconds: fraction > 0.02 ? elapsed * (1 - fraction) / fraction : nil))
  }
}
