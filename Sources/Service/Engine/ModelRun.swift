import Foundation
import JobModel
import JobStore
import Quantization
import Transformer

/// One start of a job that quantizes a checkpoint.
struct ModelRun {
  private let run: EngineRun
  private let quantizer: ModelQuantizer
  private let calibration: CalibrationData?
  private let evaluation: TokenSequences?
  private let observer: JournalObserver

  /// Reads model and data.
  ///
  /// - Parameter memoryLimit: Bytes that may be resident.
  init(_ run: EngineRun, memoryLimit: Int) throws {
    self.run = run
    let request = run.job.request
    let quantizer = try ModelQuantizer(
      model: run.files.model, options: run.options, rules: run.rules, quantizesHead: request.quantization.lmHead, memoryLimit: memoryLimit)
    self.quantizer = quantizer
    let configuration = quantizer.configuration
    let tokenizer = try ModelTokenizer.load(run.files.model)
    func length(_ asked: Int?, fallback: Int) -> Int { asked ?? min(fallback, configuration.maximumPositions) }
    if run.options.method == .gptq, let asked = request.calibration, let file = run.files.calibration {
      calibration = try CalibrationData(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: asked.samples,
        length: length(asked.sequenceLength, fallback: 2048), seed: asked.seed)
    } else {
      calibration = nil
    }
    if let asked = request.evaluation, let file = run.files.evaluation {
      evaluation = try .evaluation(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: asked.samples, length: length(asked.sequenceLength, fallback: 512))
    } else {
      evaluation = nil
    }
    let work = WorkEstimate(configuration, plan: quantizer.plan)
    let layers = quantizer.layers
    let progress = ProgressMeter(
      [.quantizing: work.quantization(calibration?.initial), .evaluating: evaluation.map { 2 * work.perplexity($0) } ?? 0],
      layers: layers.count, journal: run.journal)
    let finished = try run.finishedBlocks()
    let finishedLayers = layers.count { $0.block < finished }
    progress.skip(layers: finishedLayers)
    observer = run.observer(progress, quantizer.plan)
    try run.journal.begin(layers: layers.map { LayerRecord($0) }, finished: finishedLayers)
    if let dataWarning { try run.warnings.note(dataWarning) }
  }

  /// Fewer sequences than the default are used without being asked for.
  private var dataWarning: String? {
    guard let calibration, run.job.request.calibration?.samples == nil, calibration.initial.count < CalibrationData.defaultSamples
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
    let result = try quantizer.run(
      calibration: calibration, recovery: RecoveryPolicy(run.job.request), blocks: run.blocks, source: run.source,
      scratch: run.folders.work, observer: observer)
    let overflowWarning = Float16Overflow.warning(result.peaks)
    if let overflowWarning { try run.warnings.note(overflowWarning) }
    try run.journal.stage(.publishing)
    let assembler = try ArtifactAssembler(quantizer, blocks: run.blocks, folder: run.staging)
    try assembler.write(shardLimit: maxShardBytes, checkCancellation: observer.checkCancellation)
    let after = try measure(QuantizedCheckpoint(run.staging, format: run.options.format))
    let kept = result.outcomes.filter { $0.method == .keep }.map(\.layer.name)
    let report = QuantizationReport(
      request: try run.requestJSON(), outcomes: result.outcomes, before: before, after: after,
      calibration: calibration.map { (result.samples, $0.length) }, dropped: result.dropped, peaks: result.peaks,
      serving: ServingPreflight(quantizer.configuration, quantizer.plan, keeping: Set(kept)),
      warnings: EnginePlanner.warnings(quantizer) + [dataWarning, overflowWarning].compactMap(\.self) + result.warnings)
    return try run.succeed(report, observer: observer)
  }

  private func measureSource() throws -> Perplexity? {
    guard let evaluation, let asked = run.job.request.evaluation, let file = run.files.evaluation else { return nil }
    let source = SourcePerplexity(folder: run.folders.blocks, key: SourceFingerprint.evaluation(asked, file: file, of: run.files.model))
    if let kept = source.kept {
      observer.progress.omit(.evaluating, WorkEstimate(quantizer.configuration, plan: quantizer.plan).perplexity(evaluation))
      return kept
    }
    let measured = try measure(quantizer.checkpoint)
    if let measured { source.keep(measured) }
    return measured
  }

  private func measure(_ weights: some TensorSource) throws -> Perplexity? {
    guard let evaluation else { return nil }
    try run.journal.stage(.evaluating)
    observer.progress.begin(.evaluating)
    return try Perplexity(
      of: quantizer.configuration, weights: weights, on: evaluation, scratch: run.folders.work,
      checkCancellation: observer.checkCancellation, report: observer.did)
  }
}
