import LinearAlgebra
import Ranks

/// Quantizes layers by the Hessian that they share; by the policy where nothing cures it.
struct LayerSolver<Observer: QuantizationObserver> {
  let plan: QuantizationPlan
  let recovery: RecoveryPolicy
  let observer: Observer
  var ranks: any RankGroup = SoloRank()

  /// How layers are quantized.
  enum Preparation {
    /// By a Hessian that can be used.
    case ready(DampedHessian)
    /// By the policy, since nothing made one of theirs fit.
    case exhausted(AttemptLog, policy: RecoveryPolicy.Exhausted)
    /// To nearest, as asked.
    case rounding
  }

  /// - Precondition: The layer is quantized.
  func options(of layer: LayerIdentity) -> QuantizationOptions { plan[layer.name] ?? plan.base }

  /// Factors a Hessian by the ladder of NUMERICS section 7.
  ///
  /// - Parameters:
  ///   - hessian: [n, n], finite.
  ///   - layers: Those that share it, and what a factorisation depends on.
  ///   - log: What was found about the data before.
  /// - Throws: `QuantizationError.notPositiveDefinite` under policy `fail`.
  func prepare(_ hessian: SymmetricMatrix, for layers: [LayerIdentity], log: AttemptLog) throws -> Preparation {
    let options = options(of: layers[0])
    let known = try ranks.agreed { try observer.knownCure(for: layers[0]) }
    let ladder = known.map { DampingLadder($0) } ?? DampingLadder(startingAt: options.damping)
    let failed: AttemptLog
    do {
      // A Hessian of no tokens is 0 everywhere; taking all its columns as dead would make the weights 0.
      if hessian.diagonal.contains(where: { $0 != 0 }) {
        return .ready(
          try DampedHessian(hessian, options: options, ladder: ladder, log: log, exhausted: recovery.exhaustedRemedy))
      }
      var log = log
      log.add(.incurable, "no token activates this layer", remedy: recovery.exhaustedRemedy, damping: options.damping)
      failed = log
    } catch {
      failed = error.log
    }
    guard recovery.onExhausted == .fail else { return .exhausted(failed, policy: recovery.onExhausted) }
    for layer in layers {
      for attempt in failed.attempts { try observer.tried(attempt, for: layer, loss: nil) }
    }
    throw QuantizationError.notPositiveDefinite(layer: layers[0].name, columns: layers[0].inputs, attempts: failed.attempts)
  }

  /// Some rows of a layer after quantization, as they are stored.
  struct Part {
    /// nil where they stay as they are.
    let packed: PackedLayer?
    /// nil for methods without a Hessian.
    let totals: RowTotals?
  }

  /// Quantizes rows of a layer.
  ///
  /// - Parameters:
  ///   - weight: [rows, n]; all, or of a number that divides by 32.
  ///   - compensation: Of these rows; nil: nothing to compensate.
  /// - Returns: With the rows on their grid; nil where they stay as they are.
  /// - Throws: `QuantizationError`, `RankError`.
  func quantize(
    _ weight: Matrix<Float>, of layer: LayerIdentity, _ preparation: Preparation, compensation: CompensationProposal? = nil
  ) throws -> (part: Part, rows: QuantizedLayer?) {
    let options = options(of: layer)
    switch preparation {
    case .ready(let damped):
      let quantized = try damped.quantize(weight, compensation: compensation, options: options, layer: layer.name, ranks: ranks)
      return (Part(packed: PackedLayer(quantized.layer, format: options.format), totals: quantized.totals), quantized.layer)
    case .exhausted(_, .rtn), .rounding:
      let rounded = try roundToNearest(weight, options: options, layer: layer.name)
      return (Part(packed: PackedLayer(rounded, format: options.format), totals: nil), rounded)
    case .exhausted: return (Part(packed: nil, totals: nil), nil)
    }
  }

  /// Puts the rows of a layer together and records what became of it.
  ///
  /// - Parameters:
  ///   - parts: All rows, in order.
  ///   - start: When the layer's work began.
  func finish(
    _ layer: LayerIdentity, _ parts: [Part], _ preparation: Preparation, start: ContinuousClock.Instant
  ) throws -> LayerResult {
    let options = options(of: layer)
    let packed = PackedLayer(joiningRows: parts.compactMap(\.packed))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let outcome: LayerOutcome
    switch preparation {
    case .ready(let damped):
      let totals = RowTotals(parts.compactMap(\.totals))
      outcome = LayerOutcome(
        layer: layer, method: .gptq, options: options, damping: damped.damping, attempts: damped.attempts, loss: totals.loss,
        relativeLoss: totals.relativeLoss, kept: totals.kept(options), samples: damped.log.samples, tokens: damped.log.tokens,
        deadColumns: damped.deadColumns.count, seconds: seconds)
    case .exhausted(let log, _):
      outcome = LayerOutcome(
        layer: layer, method: packed == nil ? .keep : .rtn, options: packed == nil ? nil : options,
        degradedBy: log.attempts.last?.cause ?? .incurable, attempts: log.attempts, samples: log.samples, tokens: log.tokens,
        seconds: seconds)
    case .rounding: outcome = LayerOutcome(layer: layer, method: .rtn, options: options, seconds: seconds)
    }
    for attempt in outcome.attempts { try observer.tried(attempt, for: layer, loss: attempt.succeeded ? outcome.loss : nil) }
    try observer.finished(outcome)
    if let cause = outcome.degradedBy {
      try observer.warn(
        "\(layer.name) is degraded: "
          + (cause == .starved ? "too few tokens reach it" : "nothing made its Hessian fit for quantization")
          + " (\(cause.rawValue)), so it was "
          + (packed == nil ? "left in the source's precision" : "rounded to nearest"))
    }
    return LayerResult(outcome: outcome, packed: packed)
  }

  /// Quantizes a whole layer.
  ///
  /// - Returns: With the rows on their grid; nil where they stay as they are.
  /// - Throws: `QuantizationError`.
  func quantize(
    whole weight: Matrix<Float>, of layer: LayerIdentity, _ preparation: Preparation, compensation: CompensationProposal? = nil,
    start: ContinuousClock.Instant
  ) throws -> (result: LayerResult, rows: QuantizedLayer?) {
    let (part, rows) = try quantize(weight, of: layer, preparation, compensation: compensation)
    return (try finish(layer, [part], preparation, start: start), rows)
  }

  /// A layer that is asked to stay as it is.
  func leaveAlone(_ layer: LayerIdentity) throws -> LayerResult {
    try observer.began(layer)
    let outcome = LayerOutcome(layer: layer, method: .keep, seconds: 0)
    try observer.finished(outcome)
    return LayerResult(outcome: outcome, packed: nil)
  }
}
