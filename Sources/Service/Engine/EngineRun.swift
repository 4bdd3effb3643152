import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore
import Quantization
import StrictJSON

/// What every start of a job has, whatever its kind.
struct EngineRun {
  let job: Job
  let files: JobFiles
  let folders: JobFolders
  let journal: any JobRecorder
  let options: QuantizationOptions
  let rules: [ModuleRule]
  let warnings: WarningLog
  let blocks: BlockFiles
  /// What finished blocks depend on.
  let source: BlockSource
  private let cancellation: CancellationFlag
  private let start = ContinuousClock.now
  /// Fingerprints of the model's files and of the calibration data.
  private let fingerprints: (model: String, calibration: String)

  init(_ job: Job, files: JobFiles, folders: JobFolders, cancellation: CancellationFlag, journal: any JobRecorder) throws {
    (self.job, self.files, self.folders, self.journal, self.cancellation) = (job, files, folders, journal, cancellation)
    options = QuantizationOptions(job.request.quantization)
    rules = job.request.quantization.dynamic.map(ModuleRule.init)
    warnings = WarningLog(job.warnings, journal: journal)
    try journal.stage(.preparing)
    source = try SourceFingerprint.blocks(job.request, files)
    fingerprints = (SourceFingerprint.model(files.model), SourceFingerprint.calibration(job.request.calibration, file: files.calibration))
    folders.removeUnfinished()
    blocks = try BlockFiles(in: folders.blocks)
  }

  /// How many blocks an earlier start finished. Tells the owner why others that are there don't count.
  func finishedBlocks() throws -> Int {
    let survey = try blocks.survey(source: source)
    if let rejection = survey.rejection {
      try warnings.note("the job went on from block \(survey.count), not from where it was: \(rejection)")
    }
    return survey.count
  }

  /// Where the artifact is put together.
  var staging: URL { folders.staging }

  func observer(_ progress: ProgressMeter, _ plan: QuantizationPlan) -> JournalObserver {
    JournalObserver(
      journal: journal, cancellation: cancellation, jobAttempt: job.attempt, began: job.startedAt ?? Date(), request: job.request,
      plan: plan, fingerprints: fingerprints,
      progress: progress, warnings: warnings)
  }

  /// Stores what cured layers of finished blocks, however the work ends.
  func rememberingCures(_ observer: JournalObserver, _ work: () throws -> JobOutcome) throws -> JobOutcome {
    defer { try? observer.rememberCures(of: try blocks.survey(source: source).outcomes) }
    return try work()
  }

  /// The request as the report shows it. Where it was computed makes no difference to what came of it.
  func requestJSON() throws -> JSONValue {
    var request = job.request
    (request.slurm, request.nodes) = (nil, nil)
    return try JSONValue(parsing: Array(APICoding.encode(request)))
  }

  /// Publishes what is staged.
  func succeed(_ report: QuantizationReport, observer: JournalObserver) throws -> JobOutcome {
    let text = report.json.serialized(indent: 2) + "\n"
    try DurableFile.write(Data(text.utf8), to: staging.appending(component: "report.json"))
    try journal.stage(.publishing)
    guard SourceFingerprint.model(files.model) == fingerprints.model,
      SourceFingerprint.calibration(job.request.calibration, file: files.calibration) == fingerprints.calibration
    else {
      throw Job.Failure(
        code: "source_changed",
        detail: "the model or the dataset was changed while the job ran, so its result is of neither the old nor the new",
        advice: "Retry the job; it begins with its first block.")
    }
    let manifest = try publish(observer)
    let degraded = report.outcomes.compactMap { outcome in
      outcome.degradedBy.map {
        Job.DegradedLayer(layer: outcome.layer.name, method: .init(outcome.method), cause: .init($0))
      }
    }
    let summary = Job.Report(
      perplexityBefore: report.before?.value, perplexityAfter: report.after?.value, evaluationTokens: report.after?.tokens,
      calibrationTokens: report.calibration.map { ($0.samples - report.dropped.count) * $0.length }, layers: report.outcomes.count,
      degradedLayers: degraded, meanRelativeLoss: report.meanRelativeLoss, seconds: (ContinuousClock.now - start) / .seconds(1))
    return .succeeded(manifest, summary, degraded: !degraded.isEmpty)
  }

  /// Makes the staged files durable and moves them to their place as one.
  private func publish(_ observer: JournalObserver) throws -> ArtifactManifest {
    let digest = try ArtifactDigest(of: staging, checkCancellation: observer.checkCancellation)
    try DurableFile.syncFolder(staging)
    try observer.checkCancellation()
    // A folder that is there already is never replaced: rename fails.
    try DurableFile.move(staging, to: folders.artifact)
    return ArtifactManifest(
      repo: "jobs/\(job.id)", revision: digest.revision,
      files: digest.files.map { .init(path: $0.path, size: $0.digest.size, sha256: $0.digest.sha256) })
  }
}
