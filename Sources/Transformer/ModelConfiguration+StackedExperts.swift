import Checkpoint

extension ModelConfiguration {
  /// Gives the experts of a checkpoint that stores them as stacks their usual names.
  ///
  /// transformers 5 writes `mlp.experts.gate_up_proj` [experts, 2 × inner, hidden] and `mlp.experts.down_proj`
  /// [experts, hidden, inner], if asked to keep the names that it has in memory; all else reads a tensor per expert.
  ///
  /// - Throws: `ModelError.wrongShape`, `CheckpointError`.
  public func separatingExperts(of checkpoint: CheckpointFolder) throws -> CheckpointFolder {
    guard let layout = architecture.experts, let experts else { return checkpoint }
    var parts: [TensorPart] = []
    for block in 0..<blockCount where self.experts(ofBlock: block) != nil {
      let prefix = architecture.blockPrefix(block)
      let (gateUp, down) = (prefix + layout.stackedGateUp, prefix + layout.stackedDown)
      guard checkpoint.contains(gateUp) || checkpoint.contains(down) else { continue }
      let inner = experts.intermediateSize
      let size = inner * hiddenSize
      try checkpoint.requireShape([experts.count, 2 * inner, hiddenSize], of: gateUp)
      try checkpoint.requireShape([experts.count, hiddenSize, inner], of: down)
      for expert in 0..<experts.count {
        func name(_ role: LinearRole) -> String { prefix + layout.moduleName(role, of: .routed(expert)) + ".weight" }
        parts += [
          TensorPart(name: name(.gate), of: gateUp, offset: expert * 2 * size, shape: [inner, hiddenSize]),
          TensorPart(name: name(.up), of: gateUp, offset: (expert * 2 + 1) * size, shape: [inner, hiddenSize]),
          TensorPart(name: name(.down), of: down, offset: expert * size, shape: [hiddenSize, inner]),
        ]
      }
      let (router, usual) = (prefix + layout.stackedRouter, prefix + layout.router + ".weight")
      if router != usual, checkpoint.contains(router) {
        parts.append(TensorPart(name: usual, of: router, offset: 0, shape: [experts.count, hiddenSize]))
        try checkpoint.requireShape([experts.count, hiddenSize], of: router)
      }
    }
    return try checkpoint.naming(parts)
  }
}

extension ExpertLayout {
  fileprivate var stackedGateUp: String { stackedModule + ".experts.gate_up_proj" }
  fileprivate var stackedDown: String { stackedModule + ".experts.down_proj" }
  fileprivate var stackedRouter: String { stackedModule + ".gate.weight" }
}
