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

  /// - Returns: With the largest magnitude of its inputs.
  func quantize() throws -> (result: LayerResult, peaks: [ActivationOperation: Float]) {
    let start = ContinuousClock.now
    try solver.observer.began(layer)
    var log = run.takePendingLog()
    var hessian = HessianAccumulator(columns: layer.inputs)
    try feed(0..<run.samples.count, to: &hessian, &log)
    try escalate(&hessian, &log)
    let preparation = try solver.prepare(hessian.hessian(), for: [layer], log: log)
    try solver.observer.did(run.work.factorization(inputs: layer.inputs))
    let result = try solver.quantizeRows(of: layer, preparation, from: checkpoint, start: start, work: run.work.solveHead)
    return (result, monitor.peaks)
  }

  private func feed(_ samples: Range<Int>, to hessian: inout HessianAccumulator, _ log: inout AttemptLog) throws {
    for pass in run.passes(samples, for: .calibration) {
      for batch in run.batches(of: pass) {
        try solver.observer.checkCancellation()
        let inputs = run.finalStates(batch, monitor: monitor)
        try run.drop(monitor, layers: [layer], log: &log, damping: solver.options(of: layer).damping)
        inputs.withView { inputs in
          for part in run.samples.remaining(in: batch) {
            hessian.add(inputs[rows: part.lowerBound - batch.lowerBound..<part.upperBound - batch.lowerBound])
          }
        }
        try solver.observer.did(run.work.gram(inputs: layer.inputs, tokens: batch.count))
      }
    }
    log.tokens = hessian.tokens
    log.samples = hessian.tokens / run.samples.length
  }

  /// Only where no linear before had the same need, which is of as many columns.
  private func escalate(_ hessian: inout HessianAccumulator, _ log: inout AttemptLog) throws {
    let needed = RecoveryPolicy.neededTokens(columns: layer.inputs)
    let damping = solver.options(of: layer).damping
    while hessian.tokens < needed {
      let shortage = RecoveryPolicy.shortage(tokens: hessian.tokens, columns: layer.inputs)
      let added = try run.extend(past: run.configuration.blockCount)
      guard !added.isEmpty else {
        log.add(.starved, shortage + "; " + run.whyNoMore, remedy: .damping, damping: damping)
        return try run.warnOfStarvation(layer, shortage: shortage, reason: run.whyNoMore)
      }
      try feed(added, to: &hessian, &log)
      log.add(.starved, shortage + "; went on to \(run.samples.count) sequences", remedy: .moreSamples, damping: damping)
    }
  }
}

/// Rows of the output head that are in memory at a time.
let headRowsAtOnce = 8192

extension LayerSolver {
  /// Quantizes a layer from its checkpoint, a few thousand rows at a time.
  ///
  /// - Parameters:
  ///   - start: When the layer's work began.
  ///   - work: Floating-point operations of all rows.
  func quantizeRows(
    of layer: LayerIdentity, _ preparation: Preparation, from checkpoint: CheckpointFolder, start: ContinuousClock.Instant, work: Double
  ) throws -> LayerResult {
    let name = layer.name + ".weight"
    defer { checkpoint.releaseCachedPages(of: name) }
    let parts = try stride(from: 0, to: layer.outputs, by: headRowsAtOnce).map { first in
      try observer.checkCancellation()
      let rows = first..<min(layer.outputs, first + headRowsAtOnce)
      let weight = try checkpoint.rows(rows, of: name, columns: layer.inputs)
      let part = try quantize(weight, of: layer, preparation).part
      try observer.did(work * Double(rows.count) / Double(layer.outputs))
      return part
    }
    return try finish(layer, parts, preparation, start: start)
  }
}
