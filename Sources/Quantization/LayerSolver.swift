import LinearAlgebra

/// Quantizes layers that share a Hessian; by the policy where nothing cures it.
struct LayerSolver<Observer: QuantizationObserver> {
  let options: QuantizationOptions
  let recovery: RecoveryPolicy
  let observer: Observer

  /// A Hessian that can be used, or why it can't.
  enum Preparation {
    case ready(DampedHessian)
    case exhausted(AttemptLog)

    var log: AttemptLog {
      switch self {
      case .ready(let damped): damped.log
      case .exhausted(let log): log
      }
    }
  }

  /// Factors a Hessian by the ladder of NUMERICS section 7.
  ///
  /// - Parameters:
  ///   - hessian: [n, n], finite.
  ///   - layers: Those that share it.
  ///   - log: What was found about the data before.
  /// - Throws: `QuantizationError.notPositiveDefinite` under policy `fail`.
  func prepare(_ hessian: SymmetricMatrix, for layers: [LayerIdentity], log: AttemptLog) throws -> Preparation {
    let known = try observer.knownCure(for: layers[0])
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
    guard recovery.onExhausted == .fail else { return .exhausted(failed) }
    for layer in layers {
      for attempt in failed.attempts { try observer.tried(attempt, for: layer, loss: nil) }
    }
    throw QuantizationError.notPositiveDefinite(layer: layers[0].name, columns: layers[0].inputs, attempts: failed.attempts)
  }

  /// A layer's weights after quantization, besides what is stored of them.
  struct Solution {
    let result: LayerResult
    /// nil where the weights stay as they are.
    let weight: Matrix<Float>?
  }

  /// - Parameters:
  ///   - compensation: nil: nothing to compensate.
  ///   - start: When the layer's work began.
  /// - Throws: `QuantizationError`.
  func quantize(
    _ layer: LayerIdentity, _ weight: Matrix<Float>, _ preparation: Preparation, compensation: CompensationProposal? = nil,
    start: ContinuousClock.Instant
  ) throws -> Solution {
    switch preparation {
    case .ready(let damped):
      try quantize(layer, weight, damped, compensation: compensation, start: start)
    case .exhausted(let log):
      try degrade(layer, weight, log, start: start)
    }
  }

  private func quantize(
    _ layer: LayerIdentity, _ weight: Matrix<Float>, _ damped: DampedHessian, compensation: CompensationProposal?,
    start: ContinuousClock.Instant
  ) throws -> Solution {
    let quantized = try damped.quantize(weight, compensation: compensation, options: options, layer: layer.name)
    let outcome = LayerOutcome(
      layer: layer, method: .gptq, damping: damped.damping, attempts: damped.attempts, loss: quantized.loss,
      relativeLoss: quantized.relativeLoss,
      kept: .init(
        scaleSearch: quantized.scaleSearchKept, scaleRefinement: quantized.scaleRefinementKept,
        errorCompensation: quantized.errorCompensationKept),
      samples: damped.log.samples, tokens: damped.log.tokens, deadColumns: damped.deadColumns.count,
      seconds: (ContinuousClock.now - start) / .seconds(1))
    try record(outcome)
    return Solution(
      result: LayerResult(outcome: outcome, packed: PackedLayer(quantized.layer, format: options.format)),
      weight: quantized.layer.dequantized())
  }

  private func degrade(
    _ layer: LayerIdentity, _ weight: Matrix<Float>, _ log: AttemptLog, start: ContinuousClock.Instant
  ) throws -> Solution {
    let rounded = recovery.onExhausted == .rtn ? try roundToNearest(weight, options: options, layer: layer.name) : nil
    let outcome = LayerOutcome(
      layer: layer, method: rounded == nil ? .keep : .rtn, degradedBy: log.attempts.last?.cause ?? .incurable, attempts: log.attempts,
      samples: log.samples, tokens: log.tokens, seconds: (ContinuousClock.now - start) / .seconds(1))
    try record(outcome)
    try observer.warn(
      "\(layer.name) is degraded: nothing made its Hessian positive definite (\(outcome.degradedBy?.rawValue ?? "")), so it was "
        + (rounded == nil ? "left in the source's precision" : "rounded to nearest"))
    return Solution(
      result: LayerResult(outcome: outcome, packed: rounded.map { PackedLayer($0, format: options.format) }),
      weight: rounded?.dequantized())
  }

  private func record(_ outcome: LayerOutcome) throws {
    for attempt in outcome.attempts {
      try observer.tried(attempt, for: outcome.layer, loss: attempt.succeeded ? outcome.loss : nil)
    }
    try observer.finished(outcome)
  }
}
