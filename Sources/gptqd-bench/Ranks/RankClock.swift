import Quantization
import Ranks

/// Times the parts of each block by what the engine says of them, apart from what exchanges with other ranks take.
final class RankClock: QuantizationObserver {
  /// A part of a block.
  struct Part: Encodable, Sendable {
    /// Without exchanges.
    var computing = 0.0
    var exchanging = 0.0
    var sentBytes = 0

    mutating func add(_ other: Part) {
      computing += other.computing
      exchanging += other.exchanging
      sentBytes += other.sentBytes
    }
  }

  struct Times: Encodable, Sendable {
    /// Activations, and what is added up over them.
    var sums = Part()
    var factor = Part()
    /// Quantization of the linears' rows.
    var rows = Part()

    private var parts: [Part] { [sums, factor, rows] }
    var exchanging: Double { parts.reduce(0) { $0 + $1.exchanging } }
    var sentBytes: Int { parts.reduce(0) { $0 + $1.sentBytes } }
    var total: Double { parts.reduce(0) { $0 + $1.computing + $1.exchanging } }

    mutating func add(_ other: Times) {
      sums.add(other.sums)
      factor.add(other.factor)
      rows.add(other.rows)
    }
  }

  private let ranks: MeasuredRanks
  private var start = ContinuousClock.now
  private var traffic: MeasuredRanks.Traffic
  private var isFactoring = false
  private var block = 0
  private(set) var blocks: [Int: Times] = [:]

  init(_ ranks: MeasuredRanks) {
    self.ranks = ranks
    traffic = ranks.traffic
  }

  /// What was done since the last call.
  private func lap() -> Part {
    let (now, traffic) = (ContinuousClock.now, ranks.traffic)
    defer { (start, self.traffic) = (now, traffic) }
    let exchanging = traffic.seconds - self.traffic.seconds
    return Part(
      computing: max(0, (now - start) / .seconds(1) - exchanging), exchanging: exchanging, sentBytes: traffic.bytes - self.traffic.bytes)
  }

  func beganCountedWork() { _ = lap() }

  func began(_ layer: LayerIdentity) {
    blocks[layer.block, default: Times()].sums.add(lap())
    block = layer.block
    isFactoring = true
  }

  /// Between a layer's beginning and its end, this ends its factorisation.
  func did(_ flops: Double) {
    guard isFactoring else { return }
    isFactoring = false
    blocks[block, default: Times()].factor.add(lap())
  }

  func finished(_ outcome: LayerOutcome) {
    isFactoring = false
    blocks[outcome.layer.block, default: Times()].rows.add(lap())
  }

  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) {}
  func warn(_ message: String) {}
  func knownCure(for layer: LayerIdentity) -> KnownCure? { nil }
  func needsMore(_ flops: Double) {}
  func checkCancellation() {}
}
