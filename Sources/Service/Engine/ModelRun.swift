import Foundation
import JobModel
import JobStore
import Quantization
import Ranks

/// One start of a job that quantizes a checkpoint.
struct ModelRun {
  private let run: EngineRun
  private let work: ModelWork
  private let observer: JournalObserver

  private var quantizer: ModelQuantizer { work.quantizer }

  /// Reads model and data.
  ///
  /// - Parameters:
  ///   - memoryLimit: Bytes that may be resident.
  ///   - ranks: This is the first of them; the others call `ModelWork.assist`.
  init(_ run: EngineRun, memoryLimit: Int, ranks: any RankGroup = SoloRank()) throws {
    self.run = run
    work = try ModelWork(run.job.request, run.files, run.folders, memoryLimit: memoryLimit, ranks: ranks)
    let estimate = WorkEstimate(work.quantizer.configuration, plan: work.quantizer.plan)
    let layers = work.quantizer.layers
    let progress = ProgressMeter(
      [
        .quantizing: estimate.quantization(work.calibration?.initial),
        .evaluating: work.evaluation.map { 2 * estimate.perplexity($0) } ?? 0,
      ], layers: layers.count, journal: run.journal)
    let finished = try run.finishedBlocks()
    let finishedLayers = layers.count { $0.block < finished }
    progress.skip(layers: finishedLayers)
    observer = run.observer(progress, work.quantizer.plan)
    try run.journal.begin(layers: layers.map { LayerRecord($0) }, finished: finishedLayers)
    if let dataWarning { try run.warnings.note(dataWarning) }
  }

  /// Fewer sequences than the default are used without being asked for.
  private var dataWarning: String? {
    guard let calibration = work.calibration, run.job.request.calibration?.samples == nil,
      calibration.initial.count < CalibrationData.defaultSamples
    else { return nil }
    return "the calibration data gives \(calibration.initial.count) sequences of \(calibration.length) tokens, fewer than the default of "
      + "\(CalibrationData.defaultSamples)"
  }

  func finish(maxShardBytes: Int) throws -> JobOutcome {
    try run.rememberingCures(observer) { try quantize(maxShardBytes: maxShardBytes) }
  }

  private func quantize(maxShardBytes: Int) throws -> JobOutcome {
    let before = try measureSource()
    try run.journal.stage(.quantizing)
    let result = try work.quantize(blocks: run.blocks, source: run.source, observer: observer)
    let overflowWarning = Float16Overflow.warning(result.peaks)
    if let overflowWarning { try run.warnings.note(overflowWarning) }
    try run.journal.stage(.publishing)
    let assembler = try ArtifactAssembler(quantizer, blocks: run.blocks, folder: run.staging)
    try assembler.write(shardLimit: maxShardBytes, checkCancellation: observer.checkCancellation)
    let after = try measureResult()
    let kept = result.outcomes.filter { $0.method == .keep }.map(\.layer.name)
    let report = QuantizationReport(
      request: try run.requestJSON(), outcomes: result.outcomes, before: before, after: after,
      calibration: work.calibration.map { (result.samples, $0.length) }, dropped: result.dropped, peaks: result.peaks,
      serving: ServingPreflight(quantizer.configuration, quantizer.plan, keeping: Set(kept)),
      warnings: EnginePlanner.warnings(quantizer) + [dataWarning, overflowWarning].compactMap(\.self) + result.warnings)
    return try run.succeed(report, observer: observer)
  }

  private func measureSource() throws -> Perplexity? {
    guard let evaluation = work.evaluation, let asked = run.job.request.evaluation, let file = run.files.evaluation else { return nil }
    let source = SourcePerplexity(folder: run.folders.blocks, key: SourceFingerprint.evaluation(asked, file: file, of: run.files.model))
    let kept = source.kept
    if kept == nil {
      try beginEvaluating()
    } else {
      observer.progress.omit(.evaluating, WorkEstimate(quantizer.configuration, plan: quantizer.plan).perplexity(evaluation))
    }
    let perplexity = try work.measureSource(kept: kept, checkCancellation: observer.checkCancellation, report: observer.did)
    if kept == nil, let perplexity { source.keep(perplexity) }
    return perplexity
  }

  private func measureResult() throws -> Perplexity? {
    if work.evaluation != nil { try beginEvaluating() }
    return try work.measureResult(checkCancellation: observer.checkCancellation, report: observer.did)
  }

  private func beginEvaluating() throws {
    try run.journal.stage(.evaluating)
    observer.progress.begin(.evaluating)
  }
}
