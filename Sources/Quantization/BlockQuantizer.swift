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
    return (results, monitor.peaks)
  }

  /// Takes the sequences out of the block. Only the output head needs what comes out of the last one; for its magnitudes a batch
  /// is enough.
  private func finish() throws {
    let isLast = block.index == run.configuration.blockCount - 1
    guard !isLast || run.quantizesHead else {
      let passes = CalibrationSamples.Use.allCases.flatMap { run.passes(0..<run.samples.count, for: $0) }
      if let pass = passes.first {
        run.quantized.finish(block, run.batches(of: pass)[0], monitor: monitor)
      }
      return
    }
    for use in CalibrationSamples.Use.allCases {
      for rows in run.passes(0..<run.samples.count, for: use) {
        try observer.checkCancellation()
        run.quantized.finish(block, rows, monitor: monitor)
        var streams = 1.0
        if let original, !isLast, !compensatesByOutputs(.mlpOutput) {
          run.original?.finish(original, rows, monitor: originalMonitor)
          streams += 1
        }
        try observer.did(run.work.forward(.mlpOutput, ofBlock: block.index, tokens: rows.count, length: run.samples.length) * streams)
      }
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
      for pass in CalibrationSamples.Use.allCases.flatMap({ run.passes(0..<run.samples.count, for: $0) }) {
        try observer.checkCancellation()
        try advance(pass, to: stage)
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
          whole: weight, of: identity, preparation, compensation: statistics.proposal(for: weight), start: start)
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
    for use in CalibrationSamples.Use.allCases {
      for pass in run.passes(samples, for: use) {
        try observer.checkCancellation()
        if advancing { try advance(pass, to: stage) }
        for batch in run.batches(of: pass) {
          try observer.checkCancellation()
          if statistics[0].expert == nil {
            try addInputs(of: stage, use, batch, to: &statistics[0])
          } else {
            try addExpertInputs(of: stage, use, batch, to: &statistics)
          }
          if use != .heldOut {
            try observer.did(statistics.reduce(0) { $0 + run.work.accumulation($1.layers, rows: batch.count) })
          }
        }
      }
    }
  }

  func advance(_ pass: Range<Int>, to stage: BlockStage) throws {
    run.quantized.advance(to: stage, block, pass, monitor: monitor)
    if let original { run.original?.advance(to: stage, original, pass, monitor: originalMonitor) }
    try observer.did(run.work.preceding(stage, ofBlock: block.index, tokens: pass.count, length: run.samples.length) * run.streams)
  }

  private func count(_ statistics: inout [StageStatistics]) {
    for index in statistics.indices { statistics[index].count(length: run.samples.length, samples: run.samples.calibrating) }
  }

  private func addInputs(
    of stage: BlockStage, _ use: CalibrationSamples.Use, _ batch: Range<Int>, to statistics: inout StageStatistics
  ) throws {
    try withInputs(of: stage, batch) { input, originalInput, outputs in
      try run.drop(monitor, originalMonitor, layers: statistics.identities, log: &statistics.log, damping: statistics.damping)
      for part in run.samples.remaining(in: batch) {
        let window = part.lowerBound - batch.lowerBound..<part.upperBound - batch.lowerBound
        statistics.add(
          use, quantized: input[rows: window], original: originalInput.map { $0[rows: window] },
          outputs: outputs.map { $0[rows: window] })
      }
    }
  }

  /// Lends a stage's inputs as the quantized and the original blocks before it give them, and the original's outputs where these
  /// are compensated by; they leave the block then.
  func withInputs(
    of stage: BlockStage, _ rows: Range<Int>,
    _ body: (_ quantized: MatrixView<Float>, _ original: MatrixView<Float>?, _ outputs: MatrixView<Float>?) throws -> Void
  ) throws {
    try run.quantized.withInput(of: stage, block, rows, monitor: monitor) { quantized in
      guard let original, let stream = run.original else { return try body(quantized, nil, nil) }
      try stream.withInput(of: stage, original, rows, monitor: originalMonitor) { input in
        guard compensatesByOutputs(stage) else { return try body(quantized, input, nil) }
        try stream.withOutput(original, of: input, rows, monitor: originalMonitor) { try body(quantized, input, $0) }
        try observer.did(run.work.forward(stage, ofBlock: block.index, tokens: rows.count, length: run.samples.length))
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
