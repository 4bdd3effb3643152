import LinearAlgebra
import Transformer

/// Experts get the inputs of the tokens that the router gives them, as the quantized blocks before lead to.
extension BlockQuantizer {
  /// Adds a step's tokens to the statistics of the experts that compute them.
  func addExpertInputs(of stage: BlockStage, _ step: CalibrationStep, to statistics: inout [StageStatistics]) throws {
    for rows in run.samples.localRows(of: step) {
      try withInputs(of: .mlpInput, [rows]) { inputs in
        guard let input = inputs.first, let routing = block.routing(of: input.quantized) else { return }
        for index in statistics.indices {
          try add(step, input, at: routing.tokens(of: statistics[index].expert, among: rows.count), of: stage, to: &statistics[index])
        }
      }
    }
  }

  private func add(
    _ step: CalibrationStep, _ input: StageInputs, at tokens: [Int], of stage: BlockStage, to statistics: inout StageStatistics
  ) throws {
    guard let expert = statistics.expert else { return }
    try run.drop(monitor, originalMonitor, in: step, layers: statistics.identities, log: &statistics.log, damping: statistics.damping)
    let dropped = run.samples.dropped.count
    let remaining = run.samples.localRows(of: step)
    let kept = tokens.filter { token in remaining.contains { $0.contains(input.rows.lowerBound + token) } }
    guard !kept.isEmpty else { return }
    func add(_ quantized: MatrixView<Float>, _ original: MatrixView<Float>?) throws {
      guard try !lost(since: dropped, in: step, &statistics) else { return }
      let inputs = StageInputs(rows: 0..<quantized.rows, quantized: quantized, original: original)
      try statistics.add(step.use, [inputs], tokens: [quantized.rows], sums: run.sums)
    }
    try withExpertInput(expert, of: stage, block, input.quantized, at: kept, monitor) { quantized in
      guard let original, let originalInput = input.original else { return try add(quantized, nil) }
      try withExpertInput(expert, of: stage, original, originalInput, at: kept, originalMonitor) { try add(quantized, $0) }
    }
    // Without the sequences whose activations were lost inside the expert.
    if run.samples.dropped.count > dropped { try self.add(step, input, at: kept, of: stage, to: &statistics) }
  }

  /// Whether sequences had to be dropped for what was just computed.
  private func lost(since dropped: Int, in step: CalibrationStep, _ statistics: inout StageStatistics) throws -> Bool {
    try run.drop(monitor, originalMonitor, in: step, layers: statistics.identities, log: &statistics.log, damping: statistics.damping)
    return run.samples.dropped.count > dropped
  }

  /// Lends the inputs of an expert's linears for some tokens of a batch.
  private func withExpertInput(
    _ expert: Expert, of stage: BlockStage, _ block: DecoderBlock, _ input: MatrixView<Float>, at tokens: [Int],
    _ monitor: ActivationMonitor?, _ body: (MatrixView<Float>) throws -> Void
  ) throws {
    try withScratchMatrix(rows: tokens.count, columns: input.columns) { gathered in
      gather(input, tokens, into: gathered)
      guard stage == .mlpOutput else { return try body(gathered.readOnly) }
      try withScratchMatrix(rows: tokens.count, columns: block.intermediateSize(of: expert)) { inner in
        block.expertOutput(expert, gathered.readOnly, into: inner, monitor: monitor, tokens: tokens)
        try body(inner.readOnly)
      }
    }
  }

  /// Does what the policy says about routed experts that are still starved.
  ///
  /// - Returns: What is done with those that aren't calibrated, by their first linear.
  func completeExperts(
    of stage: BlockStage, _ statistics: inout [StageStatistics]
  ) throws -> [LinearLayer: RecoveryPolicy.Exhausted] {
    let starved = statistics.indices.filter { statistics[$0].isStarved && statistics[$0].isRouted }
    let shortages = statistics.map(\.shortage)
    var uncalibrated: [LinearLayer: RecoveryPolicy.Exhausted] = [:]
    var shared: HessianAccumulator?
    let (remedy, what): (Attempt.Remedy, String) =
      switch solver.recovery.starvedExperts {
      case .allTokens: (.allTokens, "the inputs of all tokens of the block fill its Hessian up")
      case .rtn: (.rtn, "it is rounded to nearest")
      case .keep: (.keep, "it stays in the source's precision")
      }
    for index in starved {
      let reason = statistics[index].shortage + "; " + run.whyNoMore
      switch solver.recovery.starvedExperts {
      case .allTokens:
        // Gate and up read the same of every token; what goes into down is each expert's own.
        let all = try shared ?? allTokens(statistics[index], of: stage)
        if stage == .mlpInput { shared = all }
        statistics[index].complete(with: all)
      case .rtn: uncalibrated[statistics[index].layers[0]] = .rtn
      case .keep: uncalibrated[statistics[index].layers[0]] = .keep
      }
      statistics[index].log.add(.starved, reason + "; " + what, remedy: remedy, damping: statistics[index].damping)
    }
    guard !starved.isEmpty else { return uncalibrated }
    let experts = starved.map { "\(statistics[$0].layers[0].parent) (\(shortages[$0]))" }
    let linears = statistics[starved[0]].layers.map(\.moduleName).joined(separator: ", ")
    try observer.warn("few tokens reach the \(linears) of \(experts.joined(separator: ", ")): of each, \(what)")
    return uncalibrated
  }

  /// The inputs that an expert would have if it computed all tokens of the calibration sequences.
  private func allTokens(_ statistics: StageStatistics, of stage: BlockStage) throws -> HessianAccumulator {
    let layer = statistics.layers[0]
    var all = HessianAccumulator(columns: layer.inputs)
    guard let expert = statistics.expert else { return all }
    let tokens = run.samples.calibrating * run.samples.length
    try observer.needsMore(run.work.gram(inputs: layer.inputs, tokens: tokens))
    for step in run.stretches(0..<run.samples.count, for: .calibration).flatMap(\.steps) {
      try observer.checkCancellation()
      for rows in run.samples.localRows(of: step) {
        try run.quantized.withInput(of: .mlpInput, block, rows) { input in
          try withExpertInput(expert, of: stage, block, input, at: Array(0..<rows.count), nil) { all.add($0) }
        }
      }
      try observer.did(run.work.gram(inputs: layer.inputs, tokens: step.tokens))
    }
    return all
  }
}

extension ExpertRouting {
  /// Those that an expert computes among all.
  func tokens(of expert: Expert?, among count: Int) -> [Int] {
    if case .routed(let index) = expert { tokens[index] } else { Array(0..<count) }
  }
}
