import Foundation
import JobModel
import JobRunner
import JobStore
import Quantization

/// Writes what the engine does into the job's journal.
struct JournalObserver: QuantizationObserver {
  let journal: any JobRecorder
  let cancellation: CancellationFlag
  let jobAttempt: Int
  /// When the job was first started.
  let began: Date
  let request: JobRequest
  let plan: QuantizationPlan
  /// Of the model's files and of the calibration data.
  let fingerprints: (model: String, calibration: String)
  let progress: ProgressMeter
  let warnings: WarningLog

  func began(_ layer: LayerIdentity) throws { try progress.began(layer.name) }

  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) throws {
    try journal.attempt(
      AttemptRecord(
        layer: layer.name, jobAttempt: jobAttempt, number: attempt.number, cause: attempt.cause.map(AttemptRecord.Cause.init),
        detail: attempt.detail, remedy: attempt.remedy.map(AttemptRecord.Remedy.init), damping: attempt.damping,
        dampingOrigin: AttemptRecord.Origin(attempt.origin), precision: AttemptRecord.Precision(attempt.precision),
        samples: attempt.samples, tokens: attempt.tokens, info: attempt.info, smallestPivot: attempt.smallestPivot,
        reciprocalCondition: attempt.reciprocalCondition, seconds: attempt.seconds, outcome: attempt.succeeded ? .succeeded : .failed,
        loss: loss, at: Date()))
  }

  func finished(_ outcome: LayerOutcome) throws {
    progress.finishedLayer()
    let layer = outcome.layer
    try journal.layer(
      LayerRecord(
        name: layer.name, position: layer.position, block: layer.block, state: .done,
        shape: [layer.outputs, layer.inputs], method: LayerRecord.Method(outcome.method), degraded: outcome.degradedBy != nil,
        cause: outcome.degradedBy.map(AttemptRecord.Cause.init), bits: outcome.bits, groupSize: outcome.groupSize, damping: outcome.damping,
        attempts: outcome.attempts.count,
        loss: outcome.loss, relativeLoss: outcome.relativeLoss, kept: LayerRecord.Kept(outcome.kept), tokens: outcome.tokens,
        deadColumns: outcome.deadColumns, seconds: outcome.seconds))
  }

  /// For later jobs. Not before this one's end: were it interrupted, its own next start would begin where it had come to, and not
  /// end with the bytes of an undisturbed run.
  func rememberCures(of outcomes: [LayerOutcome]) throws {
    for outcome in outcomes {
      guard let cure = outcome.cure else { continue }
      try journal.remember(
        KnownDamping(damping: cure.damping, precision: AttemptRecord.Precision(cure.precision)), for: outcome.layer.name,
        in: context(of: outcome.layer))
    }
  }

  private func context(of layer: LayerIdentity) -> DampingContext {
    let damping = plan[layer.name]?.damping ?? plan.base.damping
    return DampingContext(model: fingerprints.model, calibration: fingerprints.calibration, dampPercent: damping)
  }

  func warn(_ message: String) throws { try warnings.note(message) }

  func knownCure(for layer: LayerIdentity) throws -> KnownCure? {
    guard request.damping.start == .history, let known = try journal.knownDamping(of: layer.name, in: context(of: layer), before: began)
    else {
      return nil
    }
    return KnownCure(damping: known.damping, precision: known.precision == .float32 ? .float32 : .float64)
  }

  func beganCountedWork() { progress.begin(.quantizing) }

  func did(_ flops: Double) throws { try progress.add(flops) }

  func needsMore(_ flops: Double) throws { progress.extend(by: flops) }

  func checkCancellation() throws {
    if cancellation.isCancelled { throw QuantizationCancelled() }
  }
}

/// A job's warnings: those of its submission and earlier starts, and new ones, each once.
final class WarningLog {
  private var messages: Set<String>
  private let journal: any JobRecorder

  init(_ messages: [String], journal: any JobRecorder) {
    self.messages = Set(messages)
    self.journal = journal
  }

  func note(_ message: String) throws {
    if messages.insert(message).inserted { try journal.warning(message) }
  }
}
