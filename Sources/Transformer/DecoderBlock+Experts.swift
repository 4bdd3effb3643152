import LinearAlgebra
import Synchronization

extension DecoderBlock {
  /// Routes tokens to experts.
  ///
  /// - Parameter input: Of the MLP [tokens, hidden size], whole batches.
  /// - Returns: nil where the block has a dense MLP.
  public func routing(of input: MatrixView<Float>) -> ExpertRouting? {
    guard let router else { return nil }
    let parts = Mutex<[(start: Int, routing: ExpertRouting)]>([])
    slices.forEach(of: input.rows) { rows in
      let routing = router.route(input[rows: rows])
      parts.withLock { $0.append((rows.lowerBound, routing)) }
    }
    return ExpertRouting(joining: parts.withLock { $0 }.sorted { $0.start < $1.start }, experts: router.experts)
  }

  /// Channels inside an expert.
  public func intermediateSize(of expert: Expert) -> Int { self[LinearPlace(.down, of: expert)].weight.columns }

  /// Input of an expert's down projection.
  ///
  /// - Parameters:
  ///   - input: Of the MLP, the expert's tokens only [tokens, hidden size].
  ///   - result: [tokens, inner channels of the expert].
  ///   - tokens: Of the rows, for the monitor.
  public func expertOutput(
    _ expert: Expert, _ input: MatrixView<Float>, into result: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil, tokens: [Int]
  ) {
    forEachSlice(of: input.rows, length: slices.slice) { rows in
      gatedProduct(expert, input[rows: rows], into: result[rows: rows], tokens[rows], monitor)
    }
  }

  /// What the experts add to the hidden states, on the calling thread.
  ///
  /// - Parameters:
  ///   - input: Of the MLP [tokens, hidden size].
  ///   - result: [tokens, hidden size].
  ///   - first: Number of the first token, for the monitor.
  func computeExperts(
    _ router: ExpertRouter, _ input: MatrixView<Float>, into result: MutableMatrixView<Float>, first: Int, _ monitor: ActivationMonitor?
  ) {
    for row in 0..<result.rows { (result.base + row * result.rowStride).update(repeating: 0, count: result.columns) }
    let routing = router.route(input)
    for expert in 0..<router.experts where !routing.tokens[expert].isEmpty {
      add(.routed(expert), of: input, at: routing.tokens[expert], times: routing.weights[expert], to: result, first: first, monitor)
    }
    if !routing.sharedWeights.isEmpty {
      add(.shared, of: input, at: Array(0..<input.rows), times: routing.sharedWeights, to: result, first: first, monitor)
    }
  }

  private func add(
    _ expert: Expert, of input: MatrixView<Float>, at tokens: [Int], times weights: [Float], to result: MutableMatrixView<Float>,
    first: Int, _ monitor: ActivationMonitor?
  ) {
    let numbers = tokens.map { $0 + first }[...]
    withScratchMatrix(rows: tokens.count, columns: input.columns) { gathered in
      gather(input, tokens, into: gathered)
      withScratchMatrix(rows: tokens.count, columns: intermediateSize(of: expert)) { inner in
        gatedProduct(expert, gathered.readOnly, into: inner, numbers, monitor)
        // The gathered inputs aren't needed any more.
        self[LinearPlace(.down, of: expert)](inner.readOnly, into: gathered)
        monitor?.observe(.down, gathered.readOnly, at: numbers)
      }
      for (row, token) in tokens.enumerated() {
        let (target, source) = (result.base + token * result.rowStride, gathered.base + row * gathered.rowStride)
        for channel in 0..<result.columns { target[channel] += weights[row] * source[channel] }
      }
    }
  }
}

/// Copies some rows.
///
/// - Parameter result: [tokens, columns of `x`].
public func gather(_ x: MatrixView<Float>, _ tokens: some Collection<Int>, into result: MutableMatrixView<Float>) {
  for (row, token) in tokens.enumerated() {
    (result.base + row * result.rowStride).update(from: x.base + token * x.rowStride, count: x.columns)
  }
}
