import Foundation
import JobModel
import Quantization
import Ranks
import Transformer

/// What all ranks of a job on a checkpoint do alike: rank 0 as part of `ModelRun`, the others with nothing else around it.
struct ModelWork {
  let quantizer: ModelQuantizer
  /// nil for methods without calibration.
  let calibration: CalibrationData?
  /// nil where perplexity isn't asked for.
  let evaluation: TokenSequences?
  private let request: JobRequest
  private let folders: JobFolders

  /// Reads model and data.
  ///
  /// - Parameters:
  ///   - folders: The same for all ranks, on disks that all see.
  ///   - memoryLimit: Bytes that may be resident.
  init(_ request: JobRequest, _ files: JobFiles, _ folders: JobFolders, memoryLimit: Int, ranks: any RankGroup) throws {
    (self.request, self.folders) = (request, folders)
    let options = QuantizationOptions(request.quantization)
    let quantizer = try ModelQuantizer(
      model: files.model, options: options, rules: request.quantization.dynamic.map(ModuleRule.init),
      quantizesHead: request.quantization.lmHead, memoryLimit: memoryLimit, ranks: ranks)
    self.quantizer = quantizer
    let tokenizer = try ModelTokenizer.load(files.model)
    func length(_ asked: Int?, fallback: Int) -> Int { asked ?? min(fallback, quantizer.configuration.maximumPositions) }
    if options.method == .gptq, let asked = request.calibration, let file = files.calibration {
      calibration = try CalibrationData(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: asked.samples,
        length: length(asked.sequenceLength, fallback: 2048), seed: asked.seed)
    } else {
      calibration = nil
    }
    if let asked = request.evaluation, let file = files.evaluation {
      evaluation = try .evaluation(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: asked.samples, length: length(asked.sequenceLength, fallback: 512))
    } else {
      evaluation = nil
    }
  }

  /// Measures the source's perplexity, unless rank 0 has it from before.
  ///
  /// - Parameter kept: What rank 0 has; others' doesn't matter.
  func measureSource(
    kept: Perplexity?, checkCancellation: () throws -> Void, report: (_ flops: Double) throws -> Void
  ) throws -> Perplexity? {
    guard evaluation != nil else { return nil }
    return try quantizer.ranks.agreed { kept } ?? measure(quantizer.checkpoint, checkCancellation: checkCancellation, report: report)
  }

  /// Measures the perplexity of what is staged, when rank 0 has put it together.
  func measureResult(checkCancellation: () throws -> Void, report: (_ flops: Double) throws -> Void) throws -> Perplexity? {
    try quantizer.ranks.meet()
    let result = try QuantizedCheckpoint(folders.staging, format: quantizer.plan.base.format)
    let perplexity = try measure(result, checkCancellation: checkCancellation, report: report)
    // Rank 0 moves the files once all have read them.
    try quantizer.ranks.meet()
    return perplexity
  }

  private func measure(
    _ weights: some TensorSource, checkCancellation: () throws -> Void, report: (_ flops: Double) throws -> Void
  ) throws -> Perplexity? {
    guard let evaluation else { return nil }
    return try Perplexity(
      of: quantizer.configuration, weights: weights, on: evaluation, scratch: folders.work, ranks: quantizer.ranks,
      checkCancellation: checkCancellation, report: report)
  }

  func quantize(blocks: BlockFiles, source: BlockSource, observer: some QuantizationObserver) throws -> ModelQuantizer.Result {
    try quantizer.run(
      calibration: calibration, recovery: RecoveryPolicy(request), blocks: blocks, source: source, scratch: folders.work,
      observer: observer)
  }

  /// The part of a rank that isn't the first: takes part in all that ranks do together, and publishes nothing.
  func assist(source: BlockSource) throws {
    let observer = QuietObserver()
    _ = try measureSource(kept: nil, checkCancellation: observer.checkCancellation, report: observer.did)
    _ = try quantize(blocks: BlockFiles(in: folders.blocks), source: source, observer: observer)
    _ = try measureResult(checkCancellation: observer.checkCancellation, report: observer.did)
  }
}
