/// Where among the experts of a block a linear belongs.
public enum Expert: Sendable, Hashable {
  /// Computes the tokens that the router gives it.
  case routed(Int)
  /// Computes every token.
  case shared
}

/// A linear's place in its block.
public struct LinearPlace: Sendable, Hashable {
  public let role: LinearRole
  /// nil outside mixtures of experts.
  public let expert: Expert?

  public init(_ role: LinearRole, of expert: Expert? = nil) {
    self.role = role
    self.expert = expert
  }
}

/// The mixture of experts of a model.
public struct ExpertConfiguration: Sendable, Hashable {
  /// Routed experts of a block.
  public let count: Int
  /// Routed experts that compute a token.
  public let perToken: Int
  /// Inner channels of a routed expert.
  public let intermediateSize: Int
  /// Inner channels of the shared expert; nil: there is none.
  public let sharedIntermediateSize: Int?
  /// The weights of a token's experts are scaled so that they add up to 1.
  let normalizesWeights: Bool
  /// By block; others have a dense MLP.
  let sparseBlocks: [Bool]

  /// The experts of a block, in the order of computation.
  var experts: [Expert] { (0..<count).map { .routed($0) } + (sharedIntermediateSize == nil ? [] : [.shared]) }

  func intermediateSize(of expert: Expert) -> Int {
    switch expert {
    case .routed: intermediateSize
    case .shared: sharedIntermediateSize ?? 0
    }
  }

  /// Which part of the tokens an expert computes, if all of its kind get equally many.
  func share(of expert: Expert) -> Double {
    switch expert {
    case .routed: Double(perToken) / Double(count)
    case .shared: 1
    }
  }
}

/// How a family of models names its experts, in tensors and in config.json.
struct ExpertLayout: Sendable, Hashable {
  /// Below the block's prefix.
  var module = "mlp"
  var gate = "gate_proj"
  var up = "up_proj"
  var down = "down_proj"
  /// Either of the names that it has had.
  var countFields = ["num_experts", "num_local_experts"]
  var sizeField = "moe_intermediate_size"
  /// nil: there is no shared expert.
  var sharedSizeField: String?
  /// nil: as `norm_topk_prob` says.
  var normalizesWeights: Bool?
  /// Where transformers 5 has the experts as one stack, below the block's prefix.
  var stackedModule = "mlp"

  /// Router, below the block's prefix; [experts, hidden size].
  var router: String { module + ".gate" }
  /// How much the shared expert counts, below the block's prefix; [1, hidden size].
  var sharedGate: String { module + ".shared_expert_gate" }

  /// Module name below the block's prefix.
  func moduleName(_ role: LinearRole, of expert: Expert) -> String {
    let linear =
      switch role {
      case .gate: gate
      case .up: up
      case .down: down
      case .query, .key, .value, .queryKeyValue, .attentionOutput, .gateUp: preconditionFailure("experts have no \(role)")
      }
    return switch expert {
    case .routed(let index): "\(module).experts.\(index).\(linear)"
    case .shared: "\(module).shared_expert.\(linear)"
    }
  }
}

extension ConfigurationFields {
  func experts(_ layout: ExpertLayout, blockCount: Int) throws(ModelError) -> ExpertConfiguration {
    let countField = layout.countFields.first(where: gives) ?? layout.countFields[0]
    let count = try count(countField, limit: 65_536)
    for other in layout.countFields where gives(other) && other != countField {
      let found = try self.count(other, limit: 65_536)
      guard found == count else { throw .invalidField(other, expected: "that of \(countField) (\(count))", found: "\(found)") }
    }
    let perToken = try self.count("num_experts_per_tok", limit: 65_536)
    guard perToken <= count else {
      throw .invalidField("num_experts_per_tok", expected: "at most \(countField) (\(count))", found: "\(perToken)")
    }
    let step = try optionalCount("decoder_sparse_step") ?? 1
    let dense = Set(try indices("mlp_only_layers", below: blockCount))
    let normalizes = try bool("norm_topk_prob", default: false)
    var shared: Int?
    if let field = layout.sharedSizeField { shared = try self.count(field) }
    return ExpertConfiguration(
      count: count, perToken: perToken, intermediateSize: try self.count(layout.sizeField), sharedIntermediateSize: shared,
      normalizesWeights: layout.normalizesWeights ?? normalizes,
      sparseBlocks: (0..<blockCount).map { !dense.contains($0) && ($0 + 1) % step == 0 })
  }
}
