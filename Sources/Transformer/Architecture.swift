/// How one family of models differs from the common decoder: an entry of a table, read by one implementation.
///
/// The common decoder is pre-norm: RMS norm, grouped-query attention with rotary positions, residual; RMS norm, gated MLP, residual.
public struct Architecture: Sendable, Hashable {
  /// `model_type` of config.json.
  public let modelType: String
  /// Linears that have a bias.
  public let biased: Set<LinearRole>

  /// Every architecture that can be read, by `model_type`.
  public static let known: [String: Architecture] = Dictionary(
    uniqueKeysWithValues: [
      Architecture(modelType: "llama", biased: []), Architecture(modelType: "qwen2", biased: [.query, .key, .value]),
    ].map { ($0.modelType, $0) })

  /// - Throws: `ModelError.unknownModelType` that lists the known ones.
  public static func named(_ modelType: String) throws(ModelError) -> Architecture {
    guard let architecture = known[modelType] else { throw .unknownModelType(modelType, known: known.keys.sorted()) }
    return architecture
  }

  /// Names of the tensors outside the blocks.
  public let embedding = "model.embed_tokens.weight"
  public let finalNorm = "model.norm.weight"
  /// Absent where embeddings are tied.
  public let outputHead = "lm_head.weight"

  public func blockPrefix(_ block: Int) -> String { "model.layers.\(block)." }
  /// Norm before attention, below the block's prefix.
  public let attentionNorm = "input_layernorm.weight"
  /// Norm before the MLP, below the block's prefix.
  public let mlpNorm = "post_attention_layernorm.weight"
}

/// The linear layers of a block that are quantized.
public enum LinearRole: String, Sendable, Hashable, CaseIterable {
  case query, key, value, attentionOutput, gate, up, down

  /// Module name below the block's prefix.
  public var moduleName: String {
    switch self {
    case .query: "self_attn.q_proj"
    case .key: "self_attn.k_proj"
    case .value: "self_attn.v_proj"
    case .attentionOutput: "self_attn.o_proj"
    case .gate: "mlp.gate_proj"
    case .up: "mlp.up_proj"
    case .down: "mlp.down_proj"
    }
  }

  /// Output and input channels.
  public func shape(in configuration: ModelConfiguration) -> (outputs: Int, inputs: Int) {
    let queries = configuration.attentionHeads * configuration.headSize
    let keys = configuration.keyValueHeads * configuration.headSize
    return switch self {
    case .query: (queries, configuration.hiddenSize)
    case .key, .value: (keys, configuration.hiddenSize)
    case .attentionOutput: (configuration.hiddenSize, queries)
    case .gate, .up: (configuration.intermediateSize, configuration.hiddenSize)
    case .down: (configuration.hiddenSize, configuration.intermediateSize)
    }
  }
}

/// The points of a block where linears read a common input, in the order of computation.
public enum BlockStage: Int, Sendable, CaseIterable {
  case attentionInput, attentionOutput, mlpInput, mlpOutput

  /// The linears that read this stage's input; they share its Hessian.
  public var linears: [LinearRole] {
    switch self {
    case .attentionInput: [.query, .key, .value]
    case .attentionOutput: [.attentionOutput]
    case .mlpInput: [.gate, .up]
    case .mlpOutput: [.down]
    }
  }
}

/// A linear layer of a model, by name and shape.
public struct LinearLayer: Sendable, Hashable {
  /// Module name in the checkpoint, such as `model.layers.0.self_attn.q_proj`.
  public let name: String
  /// Order of computation in the model, from 0.
  public let position: Int
  public let block: Int
  public let stage: BlockStage
  public let role: LinearRole
  /// Output channels: rows of the weight.
  public let outputs: Int
  /// Input channels: columns of the weight.
  public let inputs: Int

  public var weight: String { name + ".weight" }
  public var bias: String { name + ".bias" }
}

extension ModelConfiguration {
  /// The linears of a block in the order in which they are computed.
  public func linears(ofBlock block: Int) -> [LinearLayer] {
    let roles = BlockStage.allCases.flatMap { stage in stage.linears.map { (stage: stage, role: $0) } }
    return roles.enumerated().map { index, place in
      let shape = place.role.shape(in: self)
      return LinearLayer(
        name: architecture.blockPrefix(block) + place.role.moduleName, position: block * roles.count + index, block: block,
        stage: place.stage, role: place.role, outputs: shape.outputs, inputs: shape.inputs)
    }
  }

  /// Every linear that a job quantizes, block after block.
  public var linears: [LinearLayer] { (0..<blockCount).flatMap(linears(ofBlock:)) }
}
