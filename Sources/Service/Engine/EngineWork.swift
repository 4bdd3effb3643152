import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore
import LinearAlgebra
import Quantization
import StrictJSON
import Transformer

/// Runs a job on the worker's thread: from the request to a published artifact.
public struct EngineWork: Sendable {
  private let maxShardBytes: Int

  /// - Parameters:
  ///   - threads: Cores for all jobs together; 0: all of this machine's.
  ///   - workers: Jobs that run at once, among which the cores are divided.
  ///   - maxShardBytes: Most bytes of tensors in a file of the artifact.
  public init(threads: Int, workers: Int, maxShardBytes: Int) {
    let cores = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
    BLASLibrary.threads = max(1, cores / max(1, workers))
    self.maxShardBytes = maxShardBytes
  }

  /// - Throws: `Job.Failure` with advice for what can be expected to go wrong, `CancellationError` where the flag was set.
  @Sendable public func run(
    _ job: Job, _ files: JobFiles, _ folders: JobFolders, _ cancellation: CancellationFlag, _ journal: JobJournal
  ) throws -> JobOutcome {
    defer { try? FileManager.default.removeItem(at: folders.work) }
    do {
      var run = try EngineRun(job, files: files, folders: folders, cancellation: cancellation, journal: journal)
      return try run.finish(maxShardBytes: maxShardBytes)
    } catch is QuantizationCancelled {
      throw CancellationError()
    } catch {
      throw Job.Failure(explaining: error) ?? error
    }
  }
}

/// One start of a job.
private struct EngineRun {
  private let job: Job
  private let folders: JobFolders
  private let journal: JobJournal
  private let start = ContinuousClock.now
  private let quantizer: ModelQuantizer
  private let calibration: TokenSequences?
  private let evaluation: TokenSequences?
  private let progress: ProgressMeter
  private let observer: JournalObserver
  private let blocks: BlockFiles
  private var warnings: [String]

  /// Reads model and data.
  init(_ job: Job, files: JobFiles, folders: JobFolders, cancellation: CancellationFlag, journal: JobJournal) throws {
    self.job = job
    self.folders = folders
    self.journal = journal
    warnings = job.warnings
    try? FileManager.default.removeItem(at: folders.work)
    try FileManager.default.createDirectory(at: folders.work, withIntermediateDirectories: true)
    try journal.stage(.preparing)
    let options = QuantizationOptions(job.request.quantization)
    quantizer = try ModelQuantizer(model: files.model, options: options)
    let configuration = quantizer.configuration
    let tokenizer = try ModelTokenizer.load(files.model)
    func length(_ asked: Int?, fallback: Int) -> Int { asked ?? min(fallback, configuration.maximumPositions) }
    if options.method == .gptq, let request = job.request.calibration, let file = files.calibration {
      calibration = try .calibration(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: request.samples,
        length: length(request.sequenceLength, fallback: 2048), seed: request.seed)
    } else {
      calibration = nil
    }
    if let request = job.request.evaluation, let file = files.evaluation {
      evaluation = try .evaluation(
        TextDataset(contentsOf: file), tokenizer: tokenizer, samples: request.samples,
        length: length(request.sequenceLength, fallback: 512))
    } else {
      evaluation = nil
    }
    let work = WorkEstimate(configuration, method: options.method)
    progress = ProgressMeter(
      total: work.quantization(calibration) + (evaluation.map { 2 * work.perplexity($0) } ?? 0), layers: configuration.linears.count,
      journal: journal)
    observer = JournalObserver(
      journal: journal, cancellation: cancellation, jobAttempt: job.attempt, request: job.request.quantization, progress: progress)
    blocks = try BlockFiles(in: folders.work.appending(component: "blocks"))
    try journal.begin(layers: configuration.linears.map(LayerRecord.init))
    try warnAboutData()
  }

  /// Fewer sequences than the default are used without being asked for.
  private mutating func warnAboutData() throws {
    guard let calibration, job.request.calibration?.samples == nil, calibration.count < TokenSequences.defaultCalibrationSamples
    else { return }
    try warn(
      "the calibration data gives \(calibration.count) sequences of \(calibration.length) tokens, fewer than the default of "
        + "\(TokenSequences.defaultCalibrationSamples)")
  }

  private mutating func warn(_ message: String) throws {
    warnings.append(message)
    try journal.warning(message)
  }

  mutating func finish(maxShardBytes: Int) throws -> JobOutcome {
    let before = try measure(quantizer.checkpoint)
    try journal.stage(.quantizing)
    let outcomes = try quantizer.run(
      calibration: calibration, blocks: blocks, scratch: folders.work, observer: observer, report: progress.add)
    try journal.stage(.publishing)
    let staging = folders.work.appending(component: "artifact")
    let assembler = try ArtifactAssembler(quantizer, blocks: blocks, folder: staging)
    try assembler.write(shardLimit: maxShardBytes, checkCancellation: observer.checkCancellation)
    let after = try measure(QuantizedCheckpoint(staging, options: quantizer.options))
    let report = QuantizationReport(
      request: try JSONValue(parsing: Array(APICoding.encode(job.request))), outcomes: outcomes, before: before, after: after,
      calibration: calibration, warnings: warnings)
    try assembler.write(report.json, to: "report.json")
    try journal.stage(.publishing)
    let manifest = try publish(staging)
    let summary = Job.Report(
      perplexityBefore: before?.value, perplexityAfter: after?.value, evaluationTokens: after?.tokens,
      calibrationTokens: calibration?.tokens.count, layers: outcomes.count, meanRelativeLoss: report.meanRelativeLoss,
      seconds: (ContinuousClock.now - start) / .seconds(1))
    return .succeeded(manifest, summary, degraded: false)
  }

  private func measure(_ weights: some TensorSource) throws -> Perplexity? {
    guard let evaluation else { return nil }
    try journal.stage(.evaluating)
    return try Perplexity(
      of: quantizer.configuration, weights: weights, on: evaluation, scratch: folders.work, checkCancellation: observer.checkCancellation,
      report: progress.add)
  }

  /// Makes the staged files durable and moves them to their place as one.
  private func publish(_ staging: URL) throws -> ArtifactManifest {
    let digest = try ArtifactDigest(of: staging, checkCancellation: observer.checkCancellation)
    try DurableFile.syncFolder(staging)
    try observer.checkCancellation()
    try? FileManager.default.removeItem(at: folders.artifact)
    try FileManager.default.createDirectory(at: folders.artifact.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.moveItem(at: staging, to: folders.artifact)
    try DurableFile.syncFolder(folders.artifact.deletingLastPathComponent())
    return ArtifactManifest(
      repo: "jobs/\(job.id)", revision: digest.revision,
      files: digest.files.map { .init(path: $0.path, size: $0.size, sha256: $0.sha256) })
  }
}
