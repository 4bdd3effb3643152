import Transformer

/// Linears that inference engines compute as one, under a name of their own.
struct FusedModules: Sendable, Hashable {
  /// As vLLM names them, such as `model.layers.0.self_attn.qkv_proj`.
  let name: String
  /// In the checkpoint.
  let parts: [LinearLayer]

  /// Of a block; linears that stand alone aren't among them.
  static func all(ofBlock block: Int, in configuration: ModelConfiguration) -> [FusedModules] {
    let linears = configuration.linears(ofBlock: block)
    var modules: [FusedModules] = []
    for stage in [BlockStage.attentionInput, .mlpInput] {
      for group in configuration.inputGroups(of: stage, ofBlock: block) where group.count > 1 && !isRouted(group[0]) {
        let name = stage == .attentionInput ? "qkv_proj" : "gate_up_proj"
        modules.append(FusedModules(name: group[0].parent + "." + name, parts: group))
      }
    }
    let routed = linears.filter(isRouted)
    if let first = routed.first { modules.append(FusedModules(name: parent(of: parent(of: first.name)), parts: routed)) }
    return modules
  }

  private static func isRouted(_ layer: LinearLayer) -> Bool {
    if case .routed = layer.place.expert { true } else { false }
  }

  private static func parent(of module: String) -> String { module.split(separator: ".").dropLast().joined(separator: ".") }
}
