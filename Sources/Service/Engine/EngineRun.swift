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
  let journal: JobJournal
  let options: QuantizationOptions
  let rules: [ModuleRule]
  let warnings: WarningLog
  let blocks: BlockFiles
  /// Fingerprint of what finished blocks depend on.
  let source: String
  private let cancellation: CancellationFlag
  private let start = ContinuousClock.now
  /// Fingerprints of the model's files and of the calibration data.
  private let fingerprints: (model: String, calibration: String)

  init(_ job: Job, files: JobFiles, folders: JobFolders, cancellation: CancellationFlag, journal: JobJournal) throws {
    (self.job, self.files, self.folders, self.journal, self.cancellation) = (job, files, folders, journal, cancellation)
    options = QuantizationOptions(job.request.quantization)
    rules = job.request.quantization.dynamic.map(ModuleRule.init)
    warnings = WarningLog(job.warnings, journal: journal)
    try journal.stage(.preparing)
    let model = SourceFingerprint.files(files.model)
    let calibration = SourceFingerprint.calibration(job.request.calibration, file: files.calibration)
    source = try SourceFingerprint.blocks(model: model, calibration: calibration, job.request.quantization)
    fingerprints = (model, calibration)
    try? FileManager.default.removeItem(at: folders.work.appending(component: Self.stagingName))
    blocks = try BlockFiles(in: folders.work.appending(component: Self.blocksName))
  }

  private static let stagingName = "artifact"
  /// Folder of finished blocks in the work folder.
  static let blocksName = "blocks"

  /// Where the artifact is put together.
  var staging: URL { folders.work.appending(component: Self.stagingName) }

  func observer(_ progress: ProgressMeter, _ plan: QuantizationPlan) -> JournalObserver {
    JournalObserver(
      journal: journal, cancellation: cancellation, jobAttempt: job.attempt, request: job.request, plan: plan, fingerprints: fingerprints,
      progress: progress, warnings: warnings)
  }

  /// The request as the report shows it.
  func requestJSON() throws -> JSONValue { try JSONValue(parsing: Array(APICoding.encode(job.request))) }

  /// Publishes what is staged.
  func succeed(_ report: QuantizationReport, observer: JournalObserver) throws -> JobOutcome {
    let text = report.json.serialized(indent: 2) + "\n"
    try DurableFile.write(Data(text.utf8), to: staging.appending(component: "report.json"))
    try journal.stage(.publishing)
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
    try? FileManager.default.removeItem(at: folders.artifact)
    try FileManager.default.createDirectory(at: folders.artifact.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.moveItem(at: staging, to: folders.artifact)
    try DurableFile.syncFolder(folders.artifact.deletingLastPathComponent())
    return ArtifactManifest(
      repo: "jobs/\(job.id)", revision: digest.revision,
      files: digest.files.map { .init(path: $0.path, size: $0.size, sha256: $0.sha256) })
  }
}
