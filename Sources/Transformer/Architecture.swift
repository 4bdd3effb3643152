/// How one family of models differs from the common decoder: an entry of a table, read by one implementation.
///
/// The common decoder is pre-norm: RMS norm, grouped-query attention with rotary positions, residual; RMS norm, gated MLP, residual.
/// What is said here are the defaults of the family's `PretrainedConfig`; config.json may say otherwise where it has a field for it.
public struct Architecture: Sendable, Hashable {
  /// `model_type` of config.json.
  public let modelType: String
  /// Linears that always have a bias.
  var biased: Set<LinearRole> = []
  /// `attention_bias` and `mlp_bias` of config.json give the other linears one.
  var readsBiasFields = false
  /// Query, key and value are one tensor, and so are gate and up.
  var fusesProjections = false
  /// Each head's queries and keys are normalized before they are rotated.
  var normalizesHeads = false
  /// Attention and MLP outputs are normalized before they are added to the hidden states.
  var normalizesOutputs = false
  /// Added to the gain of every norm.
  var gainOffset: Float = 0
  /// Embeddings are multiplied by √(hidden size).
  var scalesEmbeddings = false
  var tiesEmbeddings = false
  var activationField = "hidden_act"
  var activation = Activation.silu
  /// Channels of a head; nil: hidden size / heads.
  var headSize: Int?
  /// Attention scores are divided by the root of `query_pre_attn_scalar`, by default this; nil: of the head size.
  var attentionScalar: Double?
  /// `attn_logit_softcapping`.
  var scoreCap: Double?
  /// `final_logit_softcapping`.
  var logitCap: Double?
  var windows = WindowRule.none
  var rotaryTheta = 10_000.0
  /// Rotary base of blocks with a sliding window; nil: that of all blocks.
  var localRotaryTheta: Double?
  /// Mixture of experts; nil: dense MLPs.
  var experts: ExpertLayout?

  /// - Throws: `ModelError.unknownModelType` that lists the known ones.
  public static func named(_ modelType: String) throws(ModelError) -> Architecture {
    guard let architecture = known[modelType] else { throw .unknownModelType(modelType, known: known.keys.sorted()) }
    return architecture
  }

  /// Names of the tensors outside the blocks.
  public let embedding = "model.embed_tokens.weight"
  public let finalNorm = "model.norm.weight"
  /// Absent where embeddings are tied.
  public var outputHead: String { outputHeadModule + ".weight" }
  public let outputHeadModule = "lm_head"

  public func blockPrefix(_ block: Int) -> String { "model.layers.\(block)." }
  /// Norm before attention, below the block's prefix.
  public let attentionNorm = "input_layernorm.weight"
  /// Norm before the MLP, below the block's prefix.
  public var mlpNorm: String { normalizesOutputs ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight" }
  /// Norms after attention and after the MLP, where there are any.
  var outputNorms: (attention: String, mlp: String)? {
    normalizesOutputs ? ("post_attention_layernorm.weight", "post_feedforward_layernorm.weight") : nil
  }
  /// Norms of each head's queries and keys, where there are any.
  var headNorms: (query: String, key: String)? {
    normalizesHeads ? ("self_attn.q_norm.weight", "self_attn.k_norm.weight") : nil
  }
}

/// What the MLP makes of its gate.
public enum Activation: String, Sendable, Hashable, CaseIterable {
  case silu
  /// GELU by its tanh approximation.
  case gelu = "gelu_pytorch_tanh"
}

/// Which blocks attend only to the last `sliding_window` tokens.
enum WindowRule: Sendable, Hashable {
  case none
  /// All, if `sliding_window` isn't null; by default as many tokens as said.
  case everywhere(default: Int?)
  /// If `use_sliding_window`: as `layer_types` says, or from block `max_window_layers` on.
  case whereAsked
  /// If `use_sliding_window`: all.
  case everywhereIfAsked
  /// If `use_sliding_window`: as `layer_types` says, or the first and every second of those before block `max_window_layers`.
  case everySecondIfAsked
  /// As `layer_types` says, or all but every `sliding_window_pattern`-th, by default as said.
  case allButEvery(Int)
}
