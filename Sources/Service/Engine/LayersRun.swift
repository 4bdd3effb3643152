import JobModel
import JobStore
import Quantization

/// One start of a job that quantizes the layers of a file.
struct LayersRun {
  private let run: EngineRun
  private let file: LayerFile
  private let plan: QuantizationPlan
  private let observer: JournalObserver

  init(_ run: EngineRun) throws {
    self.run = run
    let file = try LayerFile(run.files.model)
    self.file = file
    plan = try QuantizationPlan(run.options, rules: run.rules, modules: file.layers.map(\.name))
    let progress = ProgressMeter([.quantizing: file.work], layers: file.layers.count, journal: run.journal)
    let finished = min(try run.finishedBlocks(), file.layers.count)
    progress.skip(layers: finished)
    observer = run.observer(progress, plan)
    try run.journal.begin(layers: file.layers.map { LayerRecord($0) }, finished: finished)
  }

  func finish() throws -> JobOutcome { try run.rememberingCures(observer, quantize) }

  private func quantize() throws -> JobOutcome {
    try run.journal.stage(.quantizing)
    let result = try file.run(
      plan, recovery: RecoveryPolicy(run.job.request), blocks: run.blocks, source: run.source, observer: observer)
    try run.journal.stage(.publishing)
    try file.writeArtifact(plan, blocks: run.blocks, folder: run.staging)
    let report = QuantizationReport(
      request: try run.requestJSON(), outcomes: result.outcomes, warnings: EnginePlanner.warnings(plan) + result.warnings)
    return try run.succeed(report, observer: observer)
  }
}
