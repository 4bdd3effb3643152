import LinearAlgebra
import Transformer

/// Quantizes the linears of one decoder block stage by stage, each on the inputs that the quantized stages before it produce.
///
/// So every activation is computed once (ARCHITECTURE, "The engine's order of work").
struct BlockQuantizer<Observer: QuantizationObserver> {
  private let run: CalibrationRun<Observer>
  private let solver: LayerSolver<Observer>
  private let observer: Observer
  /// With weights replaced as stages are done.
  private var block: DecoderBlock
  /// As it was; nil where nothing is compensated.
  private let original: DecoderBlock?
  private let monitor: ActivationMonitor
  private let originalMonitor: ActivationMonitor

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

  /// Takes the sequences out of the block. Nobody needs what comes out of the last one, but for its magnitudes: a batch shows those.
  private func finish() throws {
    guard block.index < run.configuration.blockCount - 1 else {
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
        if let original, compensationForm(.mlpOutput) == .inputs {
          run.original?.finish(original, rows, monitor: originalMonitor)
          streams += 1
        }
        try observer.did(run.work.forward(.mlpOutput, tokens: rows.count, length: run.samples.length) * streams)
      }
    }
  }

  private func compensationForm(_ stage: BlockStage) -> ErrorCompensation.Form { .init(stage, of: run.configuration) }

  /// What a stage's inputs add up to.
  private struct Statistics {
    var hessian: HessianAccumulator
    var compensation: ErrorCompensation?
    var heldOut: HeldOutInputs?

    /// - Parameter outputs: Of the original layer, where compensation needs them.
    mutating func add(
      _ use: CalibrationSamples.Use, quantized: MatrixView<Float>, original: MatrixView<Float>?, outputs: MatrixView<Float>?
    ) {
      switch use {
      case .calibration:
        hessian.add(quantized)
        if let outputs {
          compensation?.add(outputs: outputs, quantized: quantized)
        } else if let original {
          compensation?.add(original: original, quantized: quantized)
        }
      case .heldOut:
        if let original { heldOut?.add(original: original, quantized: quantized) }
      }
    }

    func proposal(for weight: Matrix<Float>) -> CompensationProposal? {
      guard let compensation, let heldOut else { return nil }
      return compensation.proposal(for: weight, heldOut: heldOut)
    }
  }

  private mutating func quantize(_ stage: BlockStage) throws -> [LayerResult] {
    let layers = run.configuration.linears(ofBlock: block.index).filter { $0.stage == stage }
    let identities = layers.map { LayerIdentity($0) }
    let columns = layers[0].inputs
    // Both streams begin with the same embeddings.
    let compensates = original != nil && !(block.index == 0 && stage == .attentionInput)
    var statistics = Statistics(
      hessian: HessianAccumulator(columns: columns),
      compensation: compensates
        ? ErrorCompensation(
          strength: solver.options.errorCompensation, form: compensationForm(stage), outputs: layers[0].outputs, inputs: columns) : nil,
      heldOut: compensates ? HeldOutInputs(columns: columns) : nil)
    var log = run.takePendingLog()
    try feed(0..<run.samples.count, to: stage, into: &statistics, log: &log, layers: identities)
    try escalate(stage, into: &statistics, log: &log, layers: identities)
    log.tokens = statistics.hessian.tokens
    log.samples = statistics.hessian.tokens / run.samples.length

    var start = ContinuousClock.now
    try observer.began(identities[0])
    let preparation = try solver.prepare(statistics.hessian.hessian(), for: identities, log: log)
    try observer.did(run.work.factorization(stage))
    return try layers.map { layer in
      try observer.checkCancellation()
      let identity = LayerIdentity(layer)
      if layer != layers[0] { try observer.began(identity) }
      let weight = block[layer.role].weight
      let solution = try solver.quantize(
        identity, weight, preparation, compensation: statistics.proposal(for: weight), start: start)
      start = .now
      if let quantized = solution.weight { block.replaceWeight(of: layer.role, with: quantized) }
      try observer.did(run.work.solve(outputs: layer.outputs, inputs: layer.inputs))
      return solution.result
    }
  }

  /// Takes sequences to a stage and adds its inputs to the statistics.
  private func feed(
    _ samples: Range<Int>, to stage: BlockStage, into statistics: inout Statistics, log: inout AttemptLog, layers: [LayerIdentity]
  ) throws {
    for use in CalibrationSamples.Use.allCases {
      for pass in run.passes(samples, for: use) {
        try observer.checkCancellation()
        run.quantized.advance(to: stage, block, pass, monitor: monitor)
        if let original { run.original?.advance(to: stage, original, pass, monitor: originalMonitor) }
        try observer.did(run.work.preceding(stage, tokens: pass.count, length: run.samples.length) * run.streams)
        for batch in run.batches(of: pass) {
          try observer.checkCancellation()
          try withInputs(of: stage, batch) { input, originalInput, outputs in
            try run.drop(monitor, originalMonitor, layers: layers, log: &log, damping: solver.options.damping)
            for part in run.samples.remaining(in: batch) {
              let window = part.lowerBound - batch.lowerBound..<part.upperBound - batch.lowerBound
              statistics.add(
                use, quantized: input[rows: window], original: originalInput.map { $0[rows: window] },
                outputs: outputs.map { $0[rows: window] })
            }
          }
          if use != .heldOut { try observer.did(run.work.accumulation(stage, rows: batch.count)) }
        }
      }
    }
  }

  /// Lends a stage's inputs as the quantized and the original blocks before it give them, and the original's outputs where these
  /// are compensated by; they leave the block then.
  private func withInputs(
    of stage: BlockStage, _ rows: Range<Int>,
    _ body: (_ quantized: MatrixView<Float>, _ original: MatrixView<Float>?, _ outputs: MatrixView<Float>?) throws -> Void
  ) throws {
    try run.quantized.withInput(of: stage, block, rows, monitor: monitor) { quantized in
      guard let original, let stream = run.original else { return try body(quantized, nil, nil) }
      try stream.withInput(of: stage, original, rows, monitor: originalMonitor) { input in
        guard compensationForm(stage) == .outputs else { return try body(quantized, input, nil) }
        try stream.withOutput(original, of: input, rows, monitor: originalMonitor) { try body(quantized, input, $0) }
        try observer.did(run.work.forward(stage, tokens: rows.count, length: run.samples.length))
      }
    }
  }

  /// Gives a starved stage more calibration sequences, as the policy allows and the data has.
  private mutating func escalate(
    _ stage: BlockStage, into statistics: inout Statistics, log: inout AttemptLog, layers: [LayerIdentity]
  ) throws {
    let needed = RecoveryPolicy.neededTokens(columns: layers[0].inputs)
    while statistics.hessian.tokens < needed {
      let tokens = statistics.hessian.tokens
      (log.tokens, log.samples) = (tokens, tokens / run.samples.length)
      let start = ContinuousClock.now
      let added = try run.extend(block: block, original: original, before: stage)
      let shortage = "\(tokens) tokens for \(layers[0].inputs) columns, \(needed) are wanted"
      guard !added.isEmpty else {
        let reason = run.dataIsExhausted ? "the calibration data has no more rows" : "recovery.escalate_samples allows no more"
        log.add(.starved, shortage + "; " + reason, remedy: .damping, damping: solver.options.damping)
        try run.warnOfStarvation(layers[0], shortage: shortage, reason: reason)
        return
      }
      try feed(added, to: stage, into: &statistics, log: &log, layers: layers)
      log.add(
        .starved, shortage + "; went on to \(run.samples.count) sequences", remedy: .moreSamples, damping: solver.options.damping,
        seconds: (ContinuousClock.now - start) / .seconds(1))
    }
  }
}
