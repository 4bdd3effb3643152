import JobModel
import JobStore

/// Turns counted floating-point operations into a job's progress.
final class ProgressMeter {
  /// Parts of a job whose operations take differently long.
  enum Phase: CaseIterable {
    case evaluating
    case quantizing
  }

  private struct Part {
    /// Floating-point operations, planned.
    var total: Double
    var done = 0.0
    /// That those done took.
    var seconds = 0.0
  }

  private var parts: [Phase: Part]
  private var phase = Phase.quantizing
  private let layers: Int
  private let journal: any JobRecorder
  private var layersDone = 0
  private var layer: String?
  /// When the operations that come next began.
  private var start = ContinuousClock.now
  private var lastWritten: ContinuousClock.Instant?
  /// Progress is a durable write, so it isn't made more often than a person looks.
  private static let interval = Duration.milliseconds(250)
  /// Less of a part tells nothing of how fast it is.
  private static let tellingFraction = 0.02

  /// - Parameter flops: Planned, of each phase.
  init(_ flops: [Phase: Double], layers: Int, journal: any JobRecorder) {
    parts = Dictionary(uniqueKeysWithValues: Phase.allCases.map { ($0, Part(total: flops[$0] ?? 0)) })
    self.layers = layers
    self.journal = journal
  }

  func begin(_ phase: Phase) {
    self.phase = phase
    start = .now
  }

  /// More work than planned turned out to be needed.
  func extend(by flops: Double) { parts[.quantizing, default: Part(total: 0)].total += flops }

  /// Operations that an earlier start of the job did.
  func omit(_ phase: Phase, _ flops: Double) { parts[phase, default: Part(total: 0)].total -= flops }

  /// Layers that an earlier start of the job finished.
  func skip(layers count: Int) {
    layersDone += count
    parts[.quantizing, default: Part(total: 0)].total *= 1 - Double(count) / Double(max(1, layers))
  }

  func add(_ flops: Double) throws {
    let now = ContinuousClock.now
    parts[phase, default: Part(total: 0)].done += flops
    parts[phase, default: Part(total: 0)].seconds += (now - start) / .seconds(1)
    start = now
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
    let fraction = min(1, sum(\.done) / max(sum(\.total), 1))
    try journal.progress(
      .init(
        layer: layer, done: layersDone, total: layers, fraction: fraction,
        etaSeconds: fraction > Self.tellingFraction ? remainingSeconds : nil))
  }

  private func sum(_ value: KeyPath<Part, Double>) -> Double { parts.values.reduce(0) { $0 + $1[keyPath: value] } }

  /// Each part at its own rate, where that is known, else at that of all.
  private var remainingSeconds: Double {
    let secondsPerFlop = sum(\.seconds) / max(sum(\.done), 1)
    return parts.values.reduce(0) { seconds, part in
      let isTelling = part.done > Self.tellingFraction * part.total
      return seconds + max(0, part.total - part.done) * (isTelling ? part.seconds / part.done : secondsPerFlop)
    }
  }
}
