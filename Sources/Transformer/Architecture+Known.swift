extension Architecture {
  /// Every architecture that can be read, by `model_type`.
  public static let known: [String: Architecture] = Dictionary(
    uniqueKeysWithValues: [
      Architecture(modelType: "llama", readsBiasFields: true),
      Architecture(modelType: "mistral", windows: .everywhere(default: 4096)),
      Architecture(modelType: "qwen2", biased: [.query, .key, .value], windows: .whereAsked),
      Architecture(modelType: "qwen3", readsBiasFields: true, normalizesHeads: true, headSize: 128, windows: .whereAsked),
      Architecture(modelType: "phi3", fusesProjections: true, windows: .everywhere(default: nil)),
      Architecture(
        modelType: "gemma2", readsBiasFields: true, normalizesOutputs: true, gainOffset: 1, scalesEmbeddings: true, tiesEmbeddings: true,
        activationField: "hidden_activation", activation: .gelu, headSize: 256, attentionScalar: 256, scoreCap: 50, logitCap: 30,
        windows: .allButEvery(2)),
      Architecture(
        modelType: "gemma3_text", readsBiasFields: true, normalizesHeads: true, normalizesOutputs: true, gainOffset: 1,
        scalesEmbeddings: true, tiesEmbeddings: true, activationField: "hidden_activation", activation: .gelu, headSize: 256,
        attentionScalar: 256, windows: .allButEvery(6), rotaryTheta: 1_000_000, localRotaryTheta: 10_000),
      Architecture(
        modelType: "mixtral", windows: .everywhere(default: nil), rotaryTheta: 1_000_000,
        experts: ExpertLayout(
          module: "block_sparse_moe", gate: "w1", up: "w3", down: "w2", sizeField: "intermediate_size",
          normalizesWeights: true)),
      Architecture(
        modelType: "qwen2_moe", biased: [.query, .key, .value], windows: .everySecondIfAsked,
        experts: ExpertLayout(sharedSizeField: "shared_expert_intermediate_size")),
      Architecture(
        modelType: "qwen3_moe", readsBiasFields: true, normalizesHeads: true, windows: .everywhereIfAsked, experts: ExpertLayout()),
    ].map { ($0.modelType, $0) })
}
