import LinearAlgebra

/// One decoder block, split into the stages whose inputs a quantizer needs.
///
/// All functions take the tokens of equally long whole sequences, row after row, and keep no state, so they can be called with
/// any number of sequences at a time. Tokens are computed a few at a time on each core, through all operations that don't mix
/// them, so that what is between two operations stays in the core's cache. Between two stages the linears may be replaced by
/// their quantized versions.
public struct DecoderBlock: Sendable {
  public let index: Int
  public private(set) var linears: [LinearPlace: Linear]
  private let norms: BlockNorms
  private let activation: Activation
  /// nil: the MLP is dense.
  let router: ExpertRouter?
  private let rotary: RotaryEmbedding
  private let attention: CausalAttention
  private let length: Int
  let slices: TokenSlices

  /// Reads the block's weights.
  ///
  /// - Parameter length: Tokens of every sequence that will be given to it.
  /// - Throws: `ModelError`, and what the source throws.
  public init(_ index: Int, of configuration: ModelConfiguration, from source: some TensorSource, length: Int) throws {
    let prefix = configuration.architecture.blockPrefix(index)
    self.index = index
    self.length = length
    slices = TokenSlices(length: length, widest: configuration.intermediateSize)
    norms = try BlockNorms(prefix, of: configuration, from: source)
    activation = configuration.activation
    router = try configuration.experts(ofBlock: index).flatMap { experts in
      try configuration.architecture.experts.map {
        try ExpertRouter(prefix, experts, $0, hiddenSize: configuration.hiddenSize, from: source)
      }
    }
    rotary = RotaryEmbedding(configuration.rotary(ofBlock: index), positions: length, headSize: configuration.headSize)
    attention = CausalAttention(
      heads: configuration.attentionHeads, keyValueHeads: configuration.keyValueHeads, headSize: configuration.headSize,
      scale: configuration.attentionScale, cap: configuration.scoreCap, window: configuration.window(ofBlock: index))
    linears = [:]
    for layer in configuration.linears(ofBlock: index) {
      linears[layer.place] = Linear(
        weight: try source.matrix(layer.weight, rows: layer.outputs, columns: layer.inputs),
        bias: layer.hasBias ? try source.vector(layer.bias, count: layer.outputs) : nil)
    }
  }

  /// - Precondition: `place` is that of one of the block's linears and `weight` has its shape.
  public mutating func replaceWeight(at place: LinearPlace, with weight: Matrix<Float>) {
    let previous = self[place]
    precondition(previous.weight.rows == weight.rows && previous.weight.columns == weight.columns)
    linears[place] = Linear(weight: weight, bias: previous.bias)
  }

  public subscript(place: LinearPlace) -> Linear {
    guard let linear = linears[place] else { preconditionFailure("block \(index) has no \(place)") }
    return linear
  }

  public subscript(role: LinearRole) -> Linear { self[LinearPlace(role)] }

  /// Channels of a dense MLP's inner activations.
  public var intermediateSize: Int { self[.down].weight.columns }

  /// Input of query, key and value.
  ///
  /// - Parameters:
  ///   - hidden: Hidden states that enter the block [tokens, hidden size].
  ///   - result: Those, normalized.
  public func attentionInput(
    _ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil
  ) {
    slices.forEach(of: hidden.rows) { rows in
      attentionInput(hidden[rows: rows], into: result[rows: rows], rows, monitor)
    }
  }

  private func attentionInput(
    _ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    norms.normalize(hidden, norms.attention, into: result)
    monitor?.observe(.attentionNorm, result.readOnly, at: rows)
  }

  /// Input of the attention output projection.
  ///
  /// - Parameters:
  ///   - hidden: Hidden states that enter the block [tokens, hidden size].
  ///   - result: [tokens, heads × head size].
  public func attentionOutput(
    _ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil
  ) {
    let (queryChannels, keyChannels) = (attention.heads * attention.headSize, attention.keyValueHeads * attention.headSize)
    withScratchMatrix(rows: hidden.rows, columns: queryChannels + 2 * keyChannels) { projected in
      let all = 0..<projected.rows
      let queries = projected[rows: all, columns: 0..<queryChannels]
      let keys = projected[rows: all, columns: queryChannels..<queryChannels + keyChannels]
      let values = projected[rows: all, columns: queryChannels + keyChannels..<queryChannels + 2 * keyChannels]
      slices.forEach(of: hidden.rows) { rows in
        withScratchMatrix(rows: rows.count, columns: hidden.columns) { input in
          attentionInput(hidden[rows: rows], into: input, rows, nil)
          if let fused = linears[LinearPlace(.queryKeyValue)] {
            fused(input.readOnly, into: projected[rows: rows])
          } else {
            self[.query](input.readOnly, into: queries[rows: rows])
            self[.key](input.readOnly, into: keys[rows: rows])
            self[.value](input.readOnly, into: values[rows: rows])
          }
        }
        monitor?.observe(.queries, queries[rows: rows].readOnly, at: rows)
        monitor?.observe(.keys, keys[rows: rows].readOnly, at: rows)
        monitor?.observe(.values, values[rows: rows].readOnly, at: rows)
        norms.normalizeHeads(queries: queries[rows: rows], keys: keys[rows: rows])
        rotary.rotate(queries[rows: rows], first: rows.lowerBound, length: length)
        rotary.rotate(keys[rows: rows], first: rows.lowerBound, length: length)
      }
      attention(
        queries: queries.readOnly, keys: keys.readOnly, values: values.readOnly, length: length, into: result, monitor: monitor)
    }
    slices.forEach(of: result.rows) { rows in
      monitor?.observe(.attentionOutput, result[rows: rows].readOnly, at: rows)
    }
  }

  /// Adds the projected attention output to the hidden states.
  ///
  /// - Parameters:
  ///   - attentionOutput: [tokens, heads × head size].
  ///   - hidden: [tokens, hidden size].
  public func addAttention(
    _ attentionOutput: MatrixView<Float>, to hidden: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil
  ) {
    slices.forEach(of: hidden.rows) { rows in
      addProjection(
        .attentionOutput, of: attentionOutput[rows: rows], to: hidden[rows: rows], .attentionProjection, .hiddenAfterAttention, rows,
        monitor)
    }
  }

  private func addProjection(
    _ role: LinearRole, of x: MatrixView<Float>, to hidden: MutableMatrixView<Float>, _ projection: ActivationOperation,
    _ sum: ActivationOperation, _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    withScratchMatrix(rows: rows.count, columns: hidden.columns) { projected in
      addProjection(role, of: x, through: projected, to: hidden, projection, sum, rows, monitor)
    }
  }

  private func addProjection(
    _ role: LinearRole, of x: MatrixView<Float>, through projected: MutableMatrixView<Float>, to hidden: MutableMatrixView<Float>,
    _ projection: ActivationOperation, _ sum: ActivationOperation, _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    self[role](x, into: projected)
    monitor?.observe(projection, projected.readOnly, at: rows)
    addOutput(projected.readOnly, of: role, to: hidden, sum, rows, monitor)
  }

  /// Adds what attention or the MLP gives, normalized where the architecture does so.
  private func addOutput(
    _ projected: MatrixView<Float>, of role: LinearRole, to hidden: MutableMatrixView<Float>, _ sum: ActivationOperation,
    _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    if let gain = norms.output(of: role) {
      norms.normalize(projected, gain, addingTo: hidden)
    } else {
      add(projected, to: hidden)
    }
    monitor?.observe(sum, hidden.readOnly, at: rows)
  }

  /// Input of gate and up.
  ///
  /// - Parameters:
  ///   - hidden: Hidden states after attention [tokens, hidden size].
  ///   - result: Those, normalized.
  public func mlpInput(_ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil) {
    slices.forEach(of: hidden.rows) { rows in
      mlpInput(hidden[rows: rows], into: result[rows: rows], rows, monitor)
    }
  }

  private func mlpInput(
    _ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    norms.normalize(hidden, norms.mlp, into: result)
    monitor?.observe(.mlpNorm, result.readOnly, at: rows)
  }

  /// Input of down.
  ///
  /// - Parameters:
  ///   - hidden: Hidden states after attention [tokens, hidden size].
  ///   - result: [tokens, intermediate size].
  public func mlpOutput(_ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil) {
    slices.forEach(of: hidden.rows) { rows in mlpOutput(hidden[rows: rows], into: result[rows: rows], rows, monitor) }
  }

  private func mlpOutput(
    _ hidden: MatrixView<Float>, into result: MutableMatrixView<Float>, _ rows: Range<Int>, _ monitor: ActivationMonitor?
  ) {
    withScratchMatrix(rows: rows.count, columns: hidden.columns) { input in
      mlpInput(hidden, into: input, rows, nil)
      gatedProduct(nil, input.readOnly, into: result, rows, monitor)
    }
  }

  /// The activated gate times up, on the calling thread.
  ///
  /// - Parameters:
  ///   - expert: nil: of a dense MLP.
  ///   - input: Of gate and up [tokens, hidden size].
  ///   - result: [tokens, inner channels].
  ///   - tokens: Numbers of the rows, for the monitor.
  func gatedProduct(
    _ expert: Expert?, _ input: MatrixView<Float>, into result: MutableMatrixView<Float>, _ tokens: some RandomAccessCollection<Int>,
    _ monitor: ActivationMonitor?
  ) {
    let fused = linears[LinearPlace(.gateUp, of: expert)]
    let inner = result.columns
    withScratchMatrix(rows: input.rows, columns: fused == nil ? inner : 2 * inner) { projected in
      // Apart, the gate is computed where its product goes.
      let all = 0..<input.rows
      let gate = fused == nil ? result : projected[rows: all, columns: 0..<inner]
      let up = fused == nil ? projected : projected[rows: all, columns: inner..<2 * inner]
      if let fused {
        fused(input, into: projected)
      } else {
        self[LinearPlace(.gate, of: expert)](input, into: gate)
        self[LinearPlace(.up, of: expert)](input, into: up)
      }
      monitor?.observe(.gate, gate.readOnly, at: tokens)
      monitor?.observe(.up, up.readOnly, at: tokens)
      multiply(activation, of: gate.readOnly, by: up.readOnly, into: result)
      monitor?.observe(.gatedProduct, result.readOnly, at: tokens)
    }
  }

  /// Adds the projected MLP output to the hidden states.
  ///
  /// - Parameters:
  ///   - mlpOutput: [tokens, intermediate size].
  ///   - hidden: [tokens, hidden size].
  public func addMLP(_ mlpOutput: MatrixView<Float>, to hidden: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil) {
    slices.forEach(of: hidden.rows) { rows in
      addProjection(.down, of: mlpOutput[rows: rows], to: hidden[rows: rows], .down, .hiddenAfterMLP, rows, monitor)
    }
  }

  /// Adds the projected MLP output to the hidden states, and keeps it.
  ///
  /// - Parameters:
  ///   - mlpOutput: [tokens, intermediate size].
  ///   - hidden: [tokens, hidden size].
  ///   - projected: Output of down [tokens, hidden size].
  public func addMLP(
    _ mlpOutput: MatrixView<Float>, to hidden: MutableMatrixView<Float>, keeping projected: MutableMatrixView<Float>,
    monitor: ActivationMonitor? = nil
  ) {
    slices.forEach(of: hidden.rows) { rows in
      addProjection(
        .down, of: mlpOutput[rows: rows], through: projected[rows: rows], to: hidden[rows: rows], .down, .hiddenAfterMLP, rows, monitor)
    }
  }

  /// Adds the MLP's output to the hidden states after attention, without keeping what is inside.
  ///
  /// - Parameter hidden: [tokens, hidden size].
  public func addMLP(to hidden: MutableMatrixView<Float>, monitor: ActivationMonitor? = nil) {
    if let router { return addExperts(router, to: hidden, monitor) }
    slices.forEach(of: hidden.rows) { rows in
      withScratchMatrix(rows: rows.count, columns: intermediateSize) { inner in
        mlpOutput(hidden[rows: rows].readOnly, into: inner, rows, nil)
        addProjection(.down, of: inner.readOnly, to: hidden[rows: rows], .down, .hiddenAfterMLP, rows, monitor)
      }
    }
  }

  private func addExperts(_ router: ExpertRouter, to hidden: MutableMatrixView<Float>, _ monitor: ActivationMonitor?) {
    slices.forEach(of: hidden.rows) { rows in
      withScratchMatrix(rows: rows.count, columns: hidden.columns) { input in
        mlpInput(hidden[rows: rows].readOnly, into: input, rows, nil)
        withScratchMatrix(rows: rows.count, columns: hidden.columns) { output in
          computeExperts(router, input.readOnly, into: output, first: rows.lowerBound, monitor)
          addOutput(output.readOnly, of: .down, to: hidden[rows: rows], .hiddenAfterMLP, rows, monitor)
        }
      }
    }
  }

  /// The whole block in place.
  ///
  /// - Parameter hidden: [tokens, hidden size].
  public func forward(_ hidden: MutableMatrixView<Float>) {
    withScratchMatrix(rows: hidden.rows, columns: attention.heads * attention.headSize) { attended in
      attentionOutput(hidden.readOnly, into: attended)
      addAttention(attended.readOnly, to: hidden)
    }
    addMLP(to: hidden)
  }
}
