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
  ///
  /// - Parameter inner: Inner channels of the MLP that it may be of.
  func shape(in configuration: ModelConfiguration, inner: Int) -> (outputs: Int, inputs: Int) {
    let (queries, keys) = (configuration.queryChannels, configuration.keyChannels)
    let hidden = configuration.hiddenSize
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
  public let place: LinearPlace
  /// Output channels: rows of the weight.
  public let outputs: Int
  /// Input channels: columns of the weight.
  public let inputs: Int
  public let hasBias: Bool
  /// Which part of the tokens it computes; an expert's if routing is even.
  public let share: Double

  public var role: LinearRole { place.role }
  /// The name's last part.
  package var moduleName: String { name.split(separator: ".").last.map(String.init) ?? name }
  /// The name without that.
  package var parent: String { name.split(separator: ".").dropLast().joined(separator: ".") }
  public var weight: String { name + ".weight" }
  public var bias: String { name + ".bias" }
}

extension ModelConfiguration {
  /// The linears of a block in the order in which they are quantized; those that read a common input follow each other.
  public func linears(ofBlock block: Int) -> [LinearLayer] {
    let first = firstPosition(ofBlock: block)
    let prefix = architecture.blockPrefix(block)
    return places(ofBlock: block).enumerated().map { index, entry in
      let (stage, place) = entry
      let inner = place.expert.flatMap { expert in experts?.intermediateSize(of: expert) } ?? intermediateSize
      let shape = place.role.shape(in: self, inner: inner)
      let expertName = place.expert.flatMap { architecture.experts?.moduleName(place.role, of: $0) }
      return LinearLayer(
        name: prefix + (expertName ?? place.role.moduleName), position: first + index, block: block, stage: stage, place: place,
        outputs: shape.outputs, inputs: shape.inputs, hasBias: biased.contains(place.role),
        share: place.expert.flatMap { experts?.share(of: $0) } ?? 1)
    }
  }

  /// Every linear that a job quantizes, block after block.
  public var linears: [LinearLayer] { (0..<blockCount).flatMap(linears(ofBlock:)) }

  /// The linears of a stage that read a common input share its Hessian: one group, or one for each expert.
  package func inputGroups(of stage: BlockStage, ofBlock block: Int) -> [[LinearLayer]] {
    linears(ofBlock: block).filter { $0.stage == stage }.reduce(into: []) { groups, layer in
      if groups.last?.last?.place.expert == layer.place.expert, !groups.isEmpty {
        groups[groups.count - 1].append(layer)
      } else {
        groups.append([layer])
      }
    }
  }

  private func places(ofBlock block: Int) -> [(stage: BlockStage, place: LinearPlace)] {
    let fuses = architecture.fusesProjections
    let attention: [LinearRole] = fuses ? [.queryKeyValue] : [.query, .key, .value]
    let owners = experts(ofBlock: block)?.experts.map(Expert?.some) ?? [nil]
    return attention.map { (.attentionInput, LinearPlace($0)) } + [(.attentionOutput, LinearPlace(.attentionOutput))]
      + owners.flatMap { owner in (fuses ? [LinearRole.gateUp] : [.gate, .up]).map { (.mlpInput, LinearPlace($0, of: owner)) } }
      + owners.map { (.mlpOutput, LinearPlace(.down, of: $0)) }
  }

  private func firstPosition(ofBlock block: Int) -> Int {
    let fuses = architecture.fusesProjections
    let (attention, mlp) = (fuses ? 2 : 4, fuses ? 2 : 3)
    guard let experts else { return block * (attention + mlp) }
    let sparse = experts.sparseBlocks.prefix(block).count { $0 }
    return block * attention + mlp * (block - sparse + sparse * (experts.count + (experts.sharedIntermediateSize == nil ? 0 : 1)))
  }

  /// As many as `linears` has, without making them.
  public var linearCount: Int { firstPosition(ofBlock: blockCount) }
}
