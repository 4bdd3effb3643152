import LinearAlgebra
import Transformer

/// Quantizes the linears of one decoder block stage by stage, each on the inputs that the quantized stages before it produce.
///
/// So every activation is computed once (ARCHITECTURE, "The engine's order of work").
struct BlockQuantizer<Observer: QuantizationObserver> {
  let run: CalibrationRun<Observer>
  let solver: LayerSolver<Observer>
  let observer: Observer
  /// With weights replaced as stages are done.
  private(set) var block: DecoderBlock
  /// As it was; nil where nothing is compensated.
  let original: DecoderBlock?
  let monitor: ActivationMonitor
  let originalMonitor: ActivationMonitor

  init(_ block: DecoderBlock, run: CalibrationRun<Observer>, solver: LayerSolver<Observer>) {
    self.block = block
    self.run = run
    self.solver = solver
    observer = solver.observer
    original = run.original == nil ? nil : block
    monitor = ActivationMonitor(block: block.index, length: run.samples.length)
    originalMonitor = ActivationMonitor(block: block.index, length: run.samples.length)
  }

  /// - Returns: The block's linears in the order of computation, and the largest magnitude of each of its operations.
  mutating func quantize() throws -> (results: [LayerResult], peaks: [ActivationOperation: Float]) {
    var results: [LayerResult] = []
    for stage in BlockStage.allCases { results += try quantize(stage) }
    try finish()
    try run.drop(monitor, originalMonitor, layer: run.configuration.linears(ofBlock: block.index).last.map { LayerIdentity($0) })
    return (results, try run.peaks(monitor))
  }

  /// Takes the sequences out of the block. Only the output head needs what comes out of the last one; for its magnitudes a
  /// granule is enough.
  private func finish() throws {
    let isLast = block.index == run.configuration.blockCount - 1
    guard !isLast || run.quantizesHead else {
      for rows in run.firstGranule { run.quantized.finish(block, rows, monitor: monitor) }
      return
    }
    for stretch in run.stretches(0..<run.samples.count) {
      try observer.checkCancellation()
      let needsOriginal = !isLast && !compensatesByOutputs(.mlpOutput)
      for rows in stretch.passes {
        run.quantized.finish(block, rows, monitor: monitor)
        if let original, needsOriginal { run.original?.finish(original, rows, monitor: originalMonitor) }
      }
      let streams = original != nil && needsOriginal ? 2.0 : 1
      try observer.did(run.work.forward(.mlpOutput, ofBlock: block.index, tokens: stretch.tokens, length: run.samples.length) * streams)
    }
  }

  /// The original's outputs are at hand, and are what compensation is computed from.
  private func compensatesByOutputs(_ stage: BlockStage) -> Bool {
    let groups = run.groups(of: stage, ofBlock: block.index)
    return !groups.isEmpty && groups.allSatisfy { ErrorCompensation.Form($0[0]) == .outputs }
  }

  /// - Returns: The stage's linears in the order of computation.
  private mutating func quantize(_ stage: BlockStage) throws -> [LayerResult] {
    let groups = run.groups(of: stage, ofBlock: block.index)
    if groups.isEmpty {
      for stretch in run.stretches(0..<run.samples.count) {
        try observer.checkCancellation()
        try advance(stretch, to: stage)
      }
    }
    let results = try quantize(groups, of: stage) + leaveAlone(stage)
    return results.sorted { $0.outcome.layer.position < $1.outcome.layer.position }
  }

  private func leaveAlone(_ stage: BlockStage) throws -> [LayerResult] {
    try run.configuration.linears(ofBlock: block.index).filter { $0.stage == stage && !solver.plan.quantizes($0) }.map {
      try solver.leaveAlone(LayerIdentity($0))
    }
  }

  private mutating func quantize(_ groups: [[LinearLayer]], of stage: BlockStage) throws -> [LayerResult] {
    let atOnce = run.groupsAtOnce(groups)
    // Both streams begin with the same embeddings.
    let compensates = original != nil && !(block.index == 0 && stage == .attentionInput)
    let isMixture = groups.contains { $0[0].place.expert != nil }
    let escalations = isMixture ? try settleSamples(for: groups, at: stage) : []
    return try stride(from: 0, to: groups.count, by: atOnce).flatMap { first in
      let log = run.takePendingLog()
      var statistics = (first..<min(groups.count, first + atOnce)).map { index in
        var statistics = StageStatistics(
          groups[index], damping: solver.options(of: LayerIdentity(groups[index][0])).damping,
          compensating: compensates ? solver.plan.base.errorCompensation : 0, log: log)
        for escalation in escalations where escalation.group == index { statistics.note(escalation) }
        return statistics
      }
      try feed(0..<run.samples.count, to: stage, into: &statistics, advancing: first == 0 && !isMixture)
      count(&statistics)
      try escalate(stage, into: &statistics)
      let starved = try completeExperts(of: stage, &statistics)
      for index in statistics.indices { try statistics[index].complete(run.sums) }
      statistics.reverse()
      var results: [LayerResult] = []
      while let next = statistics.popLast() { results += try solve(next, starved[next.layers[0]]) }
      return results
    }
  }

  /// - Parameter policy: Of an expert that isn't to be calibrated.
  private mutating func solve(_ statistics: consuming StageStatistics, _ policy: RecoveryPolicy.Exhausted?) throws -> [LayerResult] {
    var parts = solver.plan.factorings(of: statistics.layers)
    var results: [LayerResult] = []
    var hessian: SymmetricMatrix?
    if policy == nil { hessian = statistics.takeHessian() }
    let proposal = statistics.proposal()
    while !parts.isEmpty {
      let layers = parts.removeFirst()
      var start = ContinuousClock.now
      try observer.began(LayerIdentity(layers[0]))
      let preparation =
        if let hessian {
          try solver.prepare(hessian, for: layers.map { LayerIdentity($0) }, log: statistics.log)
        } else {
          LayerSolver<Observer>.Preparation.exhausted(statistics.log, policy: policy ?? .fail)
        }
      if parts.isEmpty { hessian = nil }
      try observer.did(run.work.factorization(inputs: layers[0].inputs))
      for layer in layers {
        try observer.checkCancellation()
        let identity = LayerIdentity(layer)
        if layer != layers[0] { try observer.began(identity) }
        let weight = block[layer.place].weight
        let (result, rows) = try solver.quantize(
          whole: weight, of: identity, preparation, compensation: proposal, start: start)
        start = .now
        if let rows { block.replaceWeight(at: layer.place, with: rows.dequantized()) }
        try observer.did(run.work.solve(layer))
        results.append(result)
      }
    }
    return results
  }

  /// Takes sequences to a stage and adds its inputs to the statistics.
  ///
  /// - Parameter advancing: The sequences haven't reached the stage yet.
  private func feed(
    _ samples: Range<Int>, to stage: BlockStage, into statistics: inout [StageStatistics], advancing: Bool
  ) throws {
    for stretch in run.stretches(samples) {
      try observer.checkCancellation()
      if advancing { try advance(stretch, to: stage) }
      for step in stretch.steps {
        try observer.checkCancellation()
        if statistics[0].expert == nil {
          try addInputs(of: stage, step, to: &statistics[0])
        } else {
          try addExpertInputs(of: stage, step, to: &statistics)
        }
        if step.use != .heldOut {
          try observer.did(statistics.reduce(0) { $0 + run.work.accumulation($1.layers, rows: step.tokens) })
        }
      }
    }
  }

  func advance(_ stretch: CalibrationStretch, to stage: BlockStage) throws {
    for rows in stretch.passes {
      run.quantized.advance(to: stage, block, rows, monitor: monitor)
      if let original { run.original?.advance(to: stage, original, rows, monitor: originalMonitor) }
    }
    try observer.did(run.work.preceding(stage, ofBlock: block.index, tokens: stretch.tokens, length: run.samples.length) * run.streams)
  }

  private func count(_ statistics: inout [StageStatistics]) {
    for index in statistics.indices { statistics[index].count(length: run.samples.length, samples: run.samples.calibrating) }
  }

  private func addInputs(of stage: BlockStage, _ step: CalibrationStep, to statistics: inout StageStatistics) throws {
    try withInputs(of: stage, run.samples.localRows(of: step)[...]) { inputs in
      try run.drop(
        monitor, originalMonitor, in: step, layers: statistics.identities, log: &statistics.log, damping: statistics.damping)
      try statistics.add(
        step.use, inputs.windows(of: run.samples.localRows(of: step)), tokens: run.samples.tokensByRank(of: step), sums: run.sums)
    }
    if original != nil, compensatesByOutputs(stage) {
      try observer.did(run.work.forward(stage, ofBlock: block.index, tokens: step.tokens, length: run.samples.length))
    }
  }

  /// Lends a stage's inputs as the quantized and the original blocks before it give them, and the original's outputs where these
  /// are compensated by; they leave the block then.
  ///
  /// - Parameters:
  ///   - parts: Rows of the streams.
  ///   - inputs: Of parts before these.
  func withInputs(
    of stage: BlockStage, _ parts: ArraySlice<Range<Int>>, after inputs: [StageInputs] = [], _ body: ([StageInputs]) throws -> Void
  ) throws {
    guard let rows = parts.first else { return try body(inputs) }
    func goOn(_ input: StageInputs) throws { try withInputs(of: stage, parts.dropFirst(), after: inputs + [input], body) }
    try run.quantized.withInput(of: stage, block, rows, monitor: monitor) { quantized in
      guard let original, let stream = run.original else { return try goOn(StageInputs(rows: rows, quantized: quantized)) }
      try stream.withInput(of: stage, original, rows, monitor: originalMonitor) { input in
        guard compensatesByOutputs(stage) else { return try goOn(StageInputs(rows: rows, quantized: quantized, original: input)) }
        try stream.withOutput(original, of: input, rows, monitor: originalMonitor) {
          try goOn(StageInputs(rows: rows, quantized: quantized, original: input, outputs: $0))
        }
      }
    }
  }

  /// Gives starved linears more calibration sequences, as the policy allows and the data has.
  private mutating func escalate(_ stage: BlockStage, into statistics: inout [StageStatistics]) throws {
    while statistics.contains(where: \.isStarved) {
      let shortages = statistics.map { $0.isStarved ? $0.shortage : nil }
      let start = ContinuousClock.now
      let added = try run.extend(block: block, original: original, before: stage)
      guard !added.isEmpty else { break }
      try feed(added, to: stage, into: &statistics, advancing: true)
      for (index, shortage) in zip(statistics.indices, shortages) {
        guard let shortage else { continue }
        statistics[index].log.add(
          .starved, shortage + "; went on to \(run.samples.count) sequences", remedy: .moreSamples,
          damping: statistics[index].damping, seconds: (ContinuousClock.now - start) / .seconds(1))
      }
      count(&statistics)
    }
    for index in statistics.indices where statistics[index].isStarved && !statistics[index].isRouted {
      let shortage = statistics[index].shortage
      statistics[index].log.add(
        .starved, shortage + "; " + run.whyNoMore, remedy: .damping, damping: statistics[index].damping)
      try run.warnOfStarvation(statistics[index].identities[0], shortage: shortage, reason: run.whyNoMore)
    }
  }
}
