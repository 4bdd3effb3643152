import Foundation
import JobModel
import JobRunner
import JobStore
import Quantization
import Transformer

/// Writes what the engine does into the job's journal.
struct JournalObserver: QuantizationObserver {
  let journal: JobJournal
  let cancellation: CancellationFlag
  let jobAttempt: Int
  let request: QuantizationRequest
  let progress: ProgressMeter

  func began(_ layer: LinearLayer) throws { try progress.began(layer.name) }

  func tried(_ attempt: Attempt, for layer: LinearLayer, samples: Int, tokens: Int, loss: Double?) throws {
    try journal.attempt(
      AttemptRecord(
        layer: layer.name, jobAttempt: jobAttempt, number: attempt.number, cause: attempt.cause.map(AttemptRecord.Cause.init),
        damping: attempt.damping, precision: attempt.precision == .float32 ? .float32 : .float64, samples: samples, tokens: tokens,
        info: attempt.info, smallestPivot: attempt.smallestPivot, reciprocalCondition: attempt.reciprocalCondition,
        seconds: attempt.seconds, outcome: attempt.succeeded ? .succeeded : .failed, loss: loss, at: Date()))
  }

  func finished(_ outcome: LayerOutcome) throws {
    progress.finishedLayer()
    let layer = outcome.layer
    try journal.layer(
      LayerRecord(
        name: layer.name, position: layer.position, block: layer.block, state: .done,
        shape: [layer.outputs, layer.inputs], method: outcome.method == .gptq ? .gptq : .rtn, bits: request.bits,
        groupSize: request.groupSize, damping: outcome.damping, attempts: outcome.attempts.count, loss: outcome.loss,
        relativeLoss: outcome.relativeLoss, tokens: outcome.tokens, deadColumns: outcome.deadColumns, seconds: outcome.seconds))
  }

  func checkCancellation() throws {
    if cancellation.isCancelled { throw QuantizationCancelled() }
  }
}

extension AttemptRecord.Cause {
  init(_ cause: Attempt.Cause) {
    switch cause {
    case .rankDeficient: self = .rankDeficient
    case .rounding: self = .rounding
    case .incurable: self = .incurable
    }
  }
}
