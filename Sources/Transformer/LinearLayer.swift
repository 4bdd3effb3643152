/// The linear layers of a block that are quantized.
public enum LinearRole: String, Sendable, Hashable, CaseIterable {
  case query, key, value
  /// Query, key and value in one tensor.
  case queryKeyValue
  case attentionOutput
  case gate, up
  /// Gate and up in one tensor.
  case gateUp
  case down

  /// Module name below the block's prefix.
  public var moduleName: String {
    switch self {
    case .query: "self_attn.q_proj"
    case .key: "self_attn.k_proj"
    case .value: "self_attn.v_proj"
    case .queryKeyValue: "self_attn.qkv_proj"
    case .attentionOutput: "self_attn.o_proj"
    case .gate: "mlp.gate_proj"
    case .up: "mlp.up_proj"
    case .gateUp: "mlp.gate_up_proj"
    case .down: "mlp.down_proj"
    }
  }

  /// Of attention; else of the MLP.
  var isOfAttention: Bool {
    switch self {
    case .query, .key, .value, .queryKeyValue, .attentionOutput: true
    case .gate, .up, .gateUp, .down: false
    }
  }

  /// Output and input channels.
  public func shape(in configuration: ModelConfiguration) -> (outputs: Int, inputs: Int) {
    let (queries, keys) = (configuration.queryChannels, configuration.keyChannels)
    let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
    return switch self {
    case .query: (queries, hidden)
    case .key, .value: (keys, hidden)
    case .queryKeyValue: (queries + 2 * keys, hidden)
    case .attentionOutput: (hidden, queries)
    case .gate, .up: (inner, hidden)
    case .gateUp: (2 * inner, hidden)
    case .down: (hidden, inner)
    }
  }
}

/// The points of a block where linears read a common input, in the order of computation.
public enum BlockStage: Int, Sendable, CaseIterable {
  case attentionInput, attentionOutput, mlpInput, mlpOutput
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
    let roles = BlockStage.allCases.flatMap { stage in architecture.linears(of: stage).map { (stage: stage, role: $0) } }
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
