import LinearAlgebra

/// One decoder block, split into the stages whose inputs a quantizer needs.
///
/// All functions take the tokens of equally long sequences, row after row, and keep no state, so they can be called with any
/// number of sequences at a time. Between two stages the linears may be replaced by their quantized versions.
public struct DecoderBlock: Sendable {
  public let index: Int
  public private(set) var linears: [LinearRole: Linear]
  private let attentionNorm: [Float]
  private let mlpNorm: [Float]
  private let normEpsilon: Float
  private let rotary: RotaryEmbedding
  private let attention: CausalAttention
  private let length: Int

  /// Reads the block's weights.
  ///
  /// - Parameter length: Tokens of every sequence that will be given to it.
  /// - Throws: `ModelError`, and what the source throws.
  public init(_ index: Int, of configuration: ModelConfiguration, from source: some TensorSource, length: Int) throws {
    let architecture = configuration.architecture
    let prefix = architecture.blockPrefix(index)
    self.index = index
    self.length = length
    attentionNorm = try source.vector(prefix + architecture.attentionNorm, count: configuration.hiddenSize)
    mlpNorm = try source.vector(prefix + architecture.mlpNorm, count: configuration.hiddenSize)
    normEpsilon = configuration.normEpsilon
    rotary = RotaryEmbedding(positions: length, frequencies: configuration.rotaryFrequencies)
    attention = CausalAttention(
      heads: configuration.attentionHeads, keyValueHeads: configuration.keyValueHeads, headSize: configuration.headSize)
    linears = [:]
    for layer in configuration.linears(ofBlock: index) {
      linears[layer.role] = Linear(
        weight: try source.matrix(layer.weight, rows: layer.outputs, columns: layer.inputs),
        bias: architecture.biased.contains(layer.role) ? try source.vector(layer.bias, count: layer.outputs) : nil)
    }
  }

  /// - Precondition: `role` is one of the block's linears and `weight` has its shape.
  public mutating func replaceWeight(of role: LinearRole, with weight: Matrix<Float>) {
    let previous = self[role]
    precondition(previous.weight.rows == weight.rows && previous.weight.columns == weight.columns)
    linears[role] = Linear(weight: weight, bias: previous.bias)
  }

  public subscript(role: LinearRole) -> Linear {
    guard let linear = linears[role] else { preconditionFailure("block \(index) has no \(role)") }
    return linear
  }

  /// Input of query, key and value: the normalized hidden states [tokens, hidden size].
  public func attentionInput(_ hidden: Matrix<Float>, monitor: ActivationMonitor? = nil) -> Matrix<Float> {
    let normalized = normalizeRows(hidden, gain: attentionNorm, epsilon: normEpsilon)
    monitor?.observe(.attentionNorm, normalized)
    return normalized
  }

  /// Input of the attention output projection [tokens, heads × head size].
  public func attentionOutput(_ attentionInput: Matrix<Float>, monitor: ActivationMonitor? = nil) -> Matrix<Float> {
    var queries = self[.query](attentionInput)
    var keys = self[.key](attentionInput)
    let values = self[.value](attentionInput)
    monitor?.observe(.queries, queries)
    monitor?.observe(.keys, keys)
    monitor?.observe(.values, values)
    rotary.rotate(&queries, length: length)
    rotary.rotate(&keys, length: length)
    let output = attention(queries: queries, keys: keys, values: values, length: length, monitor: monitor)
    monitor?.observe(.attentionOutput, output)
    return output
  }

  /// Adds the projected attention output to the hidden states.
  public func addAttention(_ attentionOutput: Matrix<Float>, to hidden: inout Matrix<Float>, monitor: ActivationMonitor? = nil) {
    let projected = self[.attentionOutput](attentionOutput)
    monitor?.observe(.attentionProjection, projected)
    add(projected, to: &hidden)
    monitor?.observe(.hiddenAfterAttention, hidden)
  }

  /// Input of gate and up: the hidden states after attention, normalized.
  public func mlpInput(_ hidden: Matrix<Float>, monitor: ActivationMonitor? = nil) -> Matrix<Float> {
    let normalized = normalizeRows(hidden, gain: mlpNorm, epsilon: normEpsilon)
    monitor?.observe(.mlpNorm, normalized)
    return normalized
  }

  /// Input of down [tokens, intermediate size].
  public func mlpOutput(_ mlpInput: Matrix<Float>, monitor: ActivationMonitor? = nil) -> Matrix<Float> {
    var gate = self[.gate](mlpInput)
    let up = self[.up](mlpInput)
    monitor?.observe(.gate, gate)
    monitor?.observe(.up, up)
    multiplySilu(&gate, by: up)
    monitor?.observe(.gatedProduct, gate)
    return gate
  }

  /// Adds the projected MLP output to the hidden states.
  public func addMLP(_ mlpOutput: Matrix<Float>, to hidden: inout Matrix<Float>, monitor: ActivationMonitor? = nil) {
    let projected = self[.down](mlpOutput)
    monitor?.observe(.down, projected)
    add(projected, to: &hidden)
    monitor?.observe(.hiddenAfterMLP, hidden)
  }

  /// The whole block in place.
  public func forward(_ hidden: inout Matrix<Float>) {
    addAttention(attentionOutput(attentionInput(hidden)), to: &hidden)
    addMLP(mlpOutput(mlpInput(hidden)), to: &hidden)
  }
}
