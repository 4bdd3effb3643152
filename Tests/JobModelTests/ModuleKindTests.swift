import JobModel
import Testing

@Suite struct ModuleKindTests {
  @Test(
    "A layer's kind is its module's, its stage that of the block's forward pass",
    arguments: [
      ("model.layers.0.self_attn.q_proj", "q_proj", ModuleKind.Stage.attentionInput),
      ("model.layers.31.self_attn.v_proj", "v_proj", .attentionInput),
      ("model.layers.0.self_attn.qkv_proj", "qkv_proj", .attentionInput),
      ("model.layers.0.self_attn.o_proj", "o_proj", .attentionOutput),
      ("model.layers.0.mlp.gate_up_proj", "gate_up_proj", .mlpInput),
      ("model.layers.0.mlp.experts.17.up_proj", "up_proj", .mlpInput),
      ("model.layers.0.mlp.shared_expert.down_proj", "down_proj", .mlpOutput),
      ("model.layers.0.block_sparse_moe.experts.7.w2", "w2", .mlpOutput),
      ("model.layers.0.block_sparse_moe.experts.7.w3", "w3", .mlpInput),
      ("lm_head", "lm_head", .head),
      // Layer files may have any names; these must not become labels.
      ("captured", "other", .other), ("", "other", .other), (".", "other", .other), ("q_proj.weight", "other", .other),
      ("x.Q_PROJ", "other", .other), ("a\nb{c=\"d\"}", "other", .other),
    ])
  func kinds(layer: String, name: String, stage: ModuleKind.Stage) {
    let kind = ModuleKind(ofLayer: layer)
    #expect(kind.name == name && kind.stage == stage)
  }
}
