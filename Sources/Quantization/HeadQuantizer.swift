import Checkpoint
import LinearAlgebra
import Transformer

/// Quantizes the output head on what the quantized blocks before it give (`lm_head: true`).
///
/// Errors of the blocks aren't compensated here. The head's rows are handled a few thousand at a time, so that it takes no more
/// memory than a block.
struct HeadQuantizer<Observer: QuantizationObserver> {
  private let layer: LayerIdentity
  private let checkpoint: CheckpointFolder
  private let run: CalibrationRun<Observer>
  private let solver: LayerSolver<Observer>
  private let monitor: ActivationMonitor

  init(_ layer: LayerIdentity, checkpoint: CheckpointFolder, run: CalibrationRun<Observer>, solver: LayerSolver<Observer>) {
    self.layer = layer
    self.checkpoint = checkpoint
    self.run = run
    self.solver = solver
    monitor = ActivationMonitor(block: layer.block, length: run.samples.length)
  }

  func quantize() throws -> LayerResult {
    let start = ContinuousClock.now
    try solver.observer.began(layer)
    var log = run.takePendingLog()
    var hessian = HessianAccumulator(columns: layer.inputs)
    try feed(0..<run.samples.count, to: &hessian, &log)
    count(hessian, in: &log)
    try escalate(&hessian, &log)
    try hessian.complete(run.sums)
    let preparation = try solver.prepare(hessian.hessian(), for: [layer], log: log)
    try solver.observer.did(run.work.factorization(inputs: layer.inputs))
    return try solver.quantizeRows(of: layer, preparation, from: checkpoint, start: start, work: run.work.solveHead)
  }

  private func feed(_ samples: Range<Int>, to hessian: inout HessianAccumulator, _ log: inout AttemptLog) throws {
    for step in run.stretches(samples, for: .calibration).flatMap(\.steps) {
      try solver.observer.checkCancellation()
      try withInputs(run.samples.localRows(of: step)[...]) { inputs in
        try run.drop(monitor, in: step, layers: [layer], log: &log, damping: solver.options(of: layer).damping)
        try hessian.add(
          inputs.windows(of: run.samples.localRows(of: step)).map(\.quantized), tokens: run.samples.tokensByRank(of: step), sums: run.sums)
      }
      try solver.observer.did(run.work.gram(inputs: layer.inputs, tokens: step.tokens))
    }
  }

  /// Lends the head's inputs for some rows of the stream, after others.
  private func withInputs(
    _ parts: ArraySlice<Range<Int>>, after inputs: [StageInputs] = [], _ body: ([StageInputs]) throws -> Void
  ) throws {
    guard let rows = parts.first else { return try body(inputs) }
    try run.finalStates(rows, monitor: monitor).withView {
      try withInputs(parts.dropFirst(), after: inputs + [StageInputs(rows: rows, quantized: $0)], body)
    }
  }

  private func count(_ hessian: HessianAccumulator, in log: inout AttemptLog) {
    log.tokens = hessian.tokens
    log.samples = hessian.tokens / run.samples.length
  }

  /// Only where no linear before had the same need, which is of as many columns.
  private func escalate(_ hessian: inout HessianAccumulator, _ log: inout AttemptLog) throws {
    let needed = RecoveryPolicy.neededTokens(columns: layer.inputs)
    let damping = solver.options(of: layer).damping
    while hessian.tokens < needed {
      let shortage = RecoveryPolicy.shortage(tokens: hessian.tokens, columns: layer.inputs)
      let start = ContinuousClock.now
      let added = try run.extend(past: run.configuration.blockCount)
      guard !added.isEmpty else {
        log.add(.starved, shortage + "; " + run.whyNoMore, remedy: .damping, damping: damping)
        return try run.warnOfStarvation(layer, shortage: shortage, reason: run.whyNoMore)
      }
      try feed(added, to: &hessian, &log)
      log.add(
        .starved, shortage + "; went on to \(run.samples.count) sequences", remedy: .moreSamples, damping: damping,
        seconds: (ContinuousClock.now - start) / .seconds(1))
      count(hessian, in: &log)
    }
  }
}
