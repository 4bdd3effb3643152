import LinearAlgebra

/// The RMS norms of a decoder block.
struct BlockNorms: Sendable {
  /// Gains, one a channel: before attention, and before the MLP.
  let attention: [Float]
  let mlp: [Float]
  /// After attention and after the MLP, where the architecture has such.
  private let outputs: (attention: [Float], mlp: [Float])?
  /// Of each head's queries and keys, where the architecture has such.
  private let heads: (query: [Float], key: [Float])?
  private let epsilon: Float

  /// - Parameter prefix: Of the block's tensors.
  init(_ prefix: String, of configuration: ModelConfiguration, from source: some TensorSource) throws {
    let architecture = configuration.architecture
    func gain(_ name: String, count: Int = configuration.hiddenSize) throws -> [Float] {
      try source.gain(prefix + name, count: count, of: architecture)
    }
    attention = try gain(architecture.attentionNorm)
    mlp = try gain(architecture.mlpNorm)
    outputs = try architecture.outputNorms.map { (try gain($0.attention), try gain($0.mlp)) }
    let headSize = configuration.headSize
    heads = try architecture.headNorms.map { (try gain($0.query, count: headSize), try gain($0.key, count: headSize)) }
    epsilon = configuration.normEpsilon
  }

  /// Gain of what a linear adds to the hidden states.
  func output(of role: LinearRole) -> [Float]? { role.isOfAttention ? outputs?.attention : outputs?.mlp }

  func normalize(_ x: MatrixView<Float>, _ gain: [Float], into result: MutableMatrixView<Float>) {
    normalizeRows(x, gain: gain, epsilon: epsilon, into: result)
  }

  func normalize(_ x: MatrixView<Float>, _ gain: [Float], addingTo hidden: MutableMatrixView<Float>) {
    withScratchMatrix(rows: x.rows, columns: x.columns) { normalized in
      normalize(x, gain, into: normalized)
      add(normalized.readOnly, to: hidden)
    }
  }

  func normalizeHeads(queries: MutableMatrixView<Float>, keys: MutableMatrixView<Float>) {
    guard let heads else { return }
    Transformer.normalizeHeads(queries, gain: heads.query, epsilon: epsilon)
    Transformer.normalizeHeads(keys, gain: heads.key, epsilon: epsilon)
  }
}

extension TensorSource {
  /// The gain of a norm as it multiplies.
  func gain(_ name: String, count: Int, of architecture: Architecture) throws -> [Float] {
    try vector(name, count: count).map { $0 + architecture.gainOffset }
  }
}
