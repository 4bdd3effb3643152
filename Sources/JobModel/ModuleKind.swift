/// What a linear layer is in its block, for figures over jobs: one of few, whatever names the layers of a job have.
public struct ModuleKind: Sendable, Hashable {
  /// The step of a block's forward pass that a layer belongs to; layers of a step share their input.
  public enum Stage: String, Sendable, CaseIterable {
    case attentionInput = "attention_input"
    case attentionOutput = "attention_output"
    case mlpInput = "mlp_input"
    case mlpOutput = "mlp_output"
    case head
    case other
  }

  /// Such as `q_proj`.
  public let name: String
  public let stage: Stage

  public static let other = ModuleKind(name: "other", stage: .other)

  /// Those of the supported architectures, by name.
  private static let known: [String: ModuleKind] = {
    let names: [Stage: [String]] = [
      .attentionInput: ["q_proj", "k_proj", "v_proj", "qkv_proj"], .attentionOutput: ["o_proj"],
      .mlpInput: ["gate_proj", "up_proj", "gate_up_proj", "w1", "w3"], .mlpOutput: ["down_proj", "w2"], .head: ["lm_head"],
    ]
    let kinds = names.flatMap { stage, names in names.map { ModuleKind(name: $0, stage: stage) } }
    return Dictionary(uniqueKeysWithValues: kinds.map { ($0.name, $0) })
  }()

  private init(name: String, stage: Stage) {
    self.name = name
    self.stage = stage
  }

  /// - Parameter layer: Its name in the checkpoint, such as `model.layers.0.self_attn.q_proj`.
  public init(ofLayer layer: String) {
    self = layer.split(separator: ".").last.flatMap { Self.known[String($0)] } ?? .other
  }
}
