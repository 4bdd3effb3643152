import Checkpoint
import Foundation
import LinearAlgebra
import Ranks
import Transformer

/// What goes from block to block: the calibration sequences and their activations.
final class CalibrationRun<Observer: QuantizationObserver> {
  let configuration: ModelConfiguration
  let work: WorkEstimate
  let sums: SharedSums
  private(set) var samples: CalibrationSamples
  /// Through quantized blocks; this rank's sequences, as the original's.
  let quantized: ActivationStream
  /// Through the blocks as they were; nil where nothing is compensated.
  let original: ActivationStream?
  /// More rows were asked for than the data has.
  private var dataIsExhausted = false

  private let plan: QuantizationPlan
  private let memory: MemoryPlan
  private let data: CalibrationData
  private let model: CausalLanguageModel<CheckpointFolder>
  private let recovery: RecoveryPolicy
  private let observer: Observer
  private let finishedBlocks: FinishedBlocks
  /// What was dropped at the end of a block; belongs to the layer that comes next.
  private var pendingLog = AttemptLog()
  private var warnedShortages: Set<String> = []
  private let source: BlockSource
  private var hidden: SharedHiddenStates

  init(
    _ quantizer: ModelQuantizer, data: CalibrationData, recovery: RecoveryPolicy, finishedBlocks: FinishedBlocks, source: BlockSource,
    scratch: URL, observer: Observer
  ) throws {
    configuration = quantizer.configuration
    plan = quantizer.plan
    self.data = data
    self.recovery = recovery
    self.finishedBlocks = finishedBlocks
    self.observer = observer
    self.source = source
    work = WorkEstimate(configuration, plan: plan)
    model = try CausalLanguageModel(configuration, from: quantizer.checkpoint)
    sums = SharedSums(quantizer.ranks)
    let compensates = plan.base.errorCompensation > 0
    let slices = TokenSlices(length: data.length, widest: configuration.intermediateSize)
    samples = CalibrationSamples(
      data.initial, holdsOut: compensates,
      division: SampleDivision(slices, length: data.length, rank: quantizer.ranks.rank, of: quantizer.ranks.count))
    let tokens = samples.localRowCount
    memory = try MemoryPlan(
      configuration, plan: plan, samples: samples.count, length: samples.length, recovery: recovery, ranks: quantizer.ranks.count,
      limit: quantizer.memoryLimit)
    hidden = try SharedHiddenStates(
      besides: finishedBlocks.files.folder, ranks: quantizer.ranks, reserve: DiskEstimate(quantizer, spools: memory.diskBytes).peak,
      interval: quantizer.keepsHiddenStatesEvery)
    quantized = try ActivationStream(configuration, in: scratch, tokens: tokens, plan: memory)
    // Without a held-out sequence nothing shows whether compensation helps.
    original = compensates && samples.holdsOutSome ? try ActivationStream(configuration, in: scratch, tokens: tokens, plan: memory) : nil
    if compensates, original == nil {
      try observer.warn("error compensation needs at least 2 calibration sequences, one of them to judge it by; it is off")
    }
  }

  /// Sequences up to and through the blocks that are finished.
  func begin() throws {
    let finished = finishedBlocks.states.count
    if let last = finishedBlocks.states.last {
      // Lot by lot, since a part of each is held out.
      for count in last.lots.dropFirst() { samples.extend(to: try data.sequences(count)) }
      for activation in last.dropped { samples.drop(activation) }
      pendingLog = AttemptLog(last.pending)
      warnedShortages = Set(last.shortages)
      try quantized.grow(tokens: samples.localRowCount)
      try original?.grow(tokens: samples.localRowCount)
    }
    let kept = try hidden.read(
      into: streamsByName, samples: samples, channels: configuration.hiddenSize, atMost: finished, source: source)
    let keptSamples = kept?.samples ?? 0
    try embed(keptSamples..<samples.count)
    try observer.beganCountedWork()
    for (lot, blocks) in [(0..<keptSamples, (kept?.blocks ?? 0)..<finished), (keptSamples..<samples.count, 0..<finished)] {
      try observer.needsMore(streams * work.forward(blocks: blocks, tokens: lot.count * samples.length, length: samples.length))
      try pass(lot, through: blocks)
    }
  }

  private var streamsByName: [(name: String, stream: ActivationStream)] {
    [("quantized", quantized)] + (original.map { [("original", $0)] } ?? [])
  }

  /// Keeps the hidden states that come out of a block on disk, if that costs little; to be called before the block is written.
  func keepHidden(after block: Int) throws {
    guard block + 1 < configuration.blockCount || quantizesHead else { return }
    try observer.checkCancellation()
    try hidden.keep(
      streamsByName, tokens: samples.localRowCount, channels: configuration.hiddenSize, source: source, blocks: block + 1)
  }

  /// Removes hidden states that nothing goes on from any more; to be called once the block is written.
  func forgetHidden() { hidden.forgetEarlier() }

  /// Sequences of one use that are computed at once.
  func stretches(_ added: Range<Int>, for use: CalibrationSamples.Use) -> [CalibrationStretch] {
    samples.stretches(added, for: use, most: memory.tokensPerPass)
  }

  /// Those of all uses.
  func stretches(_ added: Range<Int>) -> [CalibrationStretch] { CalibrationSamples.Use.allCases.flatMap { stretches(added, for: $0) } }

  /// Rows of the first sequences that are in use, on the rank that has them; none on others.
  var firstGranule: [Range<Int>] {
    guard let step = stretches(0..<samples.count).first?.steps.first,
      samples.tokensByRank(of: step).firstIndex(where: { $0 > 0 }) == sums.ranks.rank
    else { return [] }
    return samples.localRows(of: step)
  }

  /// The linears of a stage that are quantized, by the input that they read.
  func groups(of stage: BlockStage, ofBlock block: Int) -> [[LinearLayer]] { plan.groups(of: stage, ofBlock: block, in: configuration) }

  /// How many of a stage's groups of linears are calibrated at once.
  func groupsAtOnce(_ groups: [[LinearLayer]]) -> Int { memory.groupsAtOnce(groups, compensates: plan.base.errorCompensation > 0) }

  /// What comes out of the last block is needed.
  var quantizesHead: Bool { plan.quantizesHead }

  /// Inputs of the output head [rows, hidden size].
  func finalStates(_ rows: Range<Int>, monitor: ActivationMonitor) -> Matrix<Float> {
    quantized.withHidden(rows, monitor: monitor) { model.normalize($0, monitor: monitor) }
  }

  /// How many times each activation is computed.
  var streams: Double { original == nil ? 1 : 2 }

  private func embed(_ added: Range<Int>) throws {
    for rows in stretches(added).flatMap(\.passes) {
      let tokens = samples.tokens(ofRows: rows)
      try quantized.begin(tokens, at: rows, model: model)
      try original?.begin(tokens, at: rows, model: model)
    }
  }

  /// Takes sequences that entered the first of some finished blocks through all of these.
  private func pass(_ added: Range<Int>, through blocks: Range<Int>) throws {
    guard !added.isEmpty else { return }
    for index in blocks {
      let passed = try finishedBlocks.block(index, length: samples.length)
      for stretch in stretches(added) {
        try observer.checkCancellation()
        for rows in stretch.passes {
          quantized.pass(passed.quantized, rows)
          original?.pass(passed.original, rows)
        }
        try observer.did(work.forward(block: index, tokens: stretch.tokens, length: samples.length) * streams)
      }
    }
  }

  /// Goes on to the policy's next number of sequences: they pass the finished blocks, and the stages of this one that are done.
  ///
  /// - Returns: The new sequences; none where the policy or the data ends.
  func extend(block: DecoderBlock, original originalBlock: DecoderBlock?, before stage: BlockStage) throws -> Range<Int> {
    let added = try extend(past: block.index)
    for earlier in BlockStage.allCases where earlier.rawValue < stage.rawValue {
      for stretch in stretches(added) {
        for rows in stretch.passes {
          quantized.advance(to: earlier, block, rows, monitor: nil)
          if let originalBlock { original?.advance(to: earlier, originalBlock, rows, monitor: nil) }
        }
        try observer.did(work.preceding(earlier, ofBlock: block.index, tokens: stretch.tokens, length: samples.length) * streams)
      }
    }
    return added
  }

  /// Goes on to the policy's next number of sequences, which pass the first blocks.
  ///
  /// - Returns: The new sequences; none where the policy or the data ends.
  func extend(past blocks: Int) throws -> Range<Int> {
    let none = samples.count..<samples.count
    guard let count = recovery.escalation.first(where: { $0 > samples.count }) else { return none }
    let sequences = try data.sequences(count)
    dataIsExhausted = sequences.count < count
    guard sequences.count > samples.count else { return none }
    let added = samples.extend(to: sequences)
    try quantized.grow(tokens: samples.localRowCount)
    try original?.grow(tokens: samples.localRowCount)
    try observer.needsMore(work.extending(samples, by: added, from: blocks))
    try embed(added)
    try pass(added, through: 0..<blocks)
    return added
  }

  /// Why `extend` gave nothing.
  var whyNoMore: String {
    dataIsExhausted ? "the calibration data has no more rows" : "recovery.escalate_samples allows no more"
  }

  /// Drops the sequences of a step whose activations stopped being finite, and notes it in the layer's log.
  ///
  /// - Throws: `QuantizationError.nonFiniteActivation` where more than a few are lost.
  func drop(
    _ monitors: ActivationMonitor..., in step: CalibrationStep, layers: [LayerIdentity], log: inout AttemptLog, damping: Double
  ) throws {
    let found = try found(by: monitors) { step.granules.contains($0 / samples.division.granule) }
    // Granule by granule: how many are lost when it is too many doesn't depend on the number of ranks either.
    for granule in step.granules {
      try drop(found.filter { $0.sample / samples.division.granule == granule }, layers: layers, log: &log, damping: damping)
    }
  }

  /// The same at the end of a block, of all sequences, for the log of the layer that comes next.
  func drop(_ monitors: ActivationMonitor..., layer: LayerIdentity?) throws {
    guard let layer else { return }
    try drop(found(by: monitors) { _ in true }, layers: [layer], log: &pendingLog, damping: 0)
  }

  /// Activations that aren't finite of sequences that aren't dropped, by sequence.
  ///
  /// - Parameter isOfInterest: Whether a sequence is looked at.
  private func found(by monitors: [ActivationMonitor], in isOfInterest: (Int) -> Bool) throws -> [NonFiniteActivation] {
    let known = Set(samples.dropped.map(\.sample))
    let own = monitors.flatMap(\.nonFinite.values).map { $0.ofSample(samples.division.global($0.sample)) }
      .filter { isOfInterest($0.sample) && !known.contains($0.sample) }
    return try sums.ranks.gather(own).flatMap(\.self).sorted { $0.sample < $1.sample }
  }

  private func drop(_ found: [NonFiniteActivation], layers: [LayerIdentity], log: inout AttemptLog, damping: Double) throws {
    guard !found.isEmpty else { return }
    for activation in found { samples.drop(activation) }
    let isLost = samples.lostTooMany
    for activation in found where !isLost || activation == found[0] {
      log.add(
        .nonFiniteInput, "\(activation) is NaN or infinite", remedy: isLost ? .fail : .droppedSamples, damping: damping)
    }
    if isLost {
      for layer in layers {
        for attempt in log.attempts { try observer.tried(attempt, for: layer, loss: nil) }
      }
      throw QuantizationError.nonFiniteActivation(
        found[0], layer: layers[0].name, samples: samples.dropped.count, of: samples.count)
    }
    for activation in found {
      try observer.warn(
        "calibration sample \(activation.sample) was dropped: its activations are NaN or infinite from there on: \(activation)")
    }
  }

  /// Largest magnitude of each operation that any rank has seen.
  func peaks(_ monitor: ActivationMonitor) throws -> [ActivationOperation: Float] {
    try sums.ranks.gather(monitor.peaks).reduce(into: [:]) { $0.merge($1, uniquingKeysWith: max) }
  }

  func takePendingLog() -> AttemptLog {
    defer { pendingLog = AttemptLog() }
    return pendingLog
  }

  /// Once for all layers that lack the same.
  func warnOfStarvation(_ layer: LayerIdentity, shortage: String, reason: String) throws {
    guard warnedShortages.insert(shortage).inserted else { return }
    try observer.warn("\(layer.name), and perhaps layers like it, is starved: \(shortage); \(reason)")
  }

  func state(_ results: [LayerResult], peaks: [ActivationOperation: Float], warnings: [String]) -> BlockFiles.State {
    BlockFiles.State(
      source: source, outcomes: results.map(\.outcome), lots: samples.lots, dropped: samples.dropped, peaks: peaks,
      pending: pendingLog.attempts, shortages: warnedShortages.sorted(), warnings: warnings)
  }
}
