import Transformer

/// A quantized linear as vLLM computes it: query, key and value at once, gate and up at once, and a block's experts at once.
struct ServedLinear: Hashable {
  let name: String
  let outputs: Int
  let inputs: Int
  /// Its inputs are divided among GPUs; else its outputs are.
  let dividesInputs: Bool
  /// What Marlin kernels want their channels to be multiples of, on each GPU.
  let outputMultiple: Int
  let inputMultiple: Int
  let settings: LoaderSettings
  /// One of a block's experts that a router gives tokens.
  let isRouted: Bool

  /// Of a group; −1: all.
  var groupSize: Int { settings.groupSize }

  private init(
    _ name: String, outputs: Int, inputs: Int, dividesInputs: Bool, of expert: Expert? = nil, _ settings: LoaderSettings
  ) {
    self.name = name
    self.outputs = outputs
    self.inputs = inputs
    self.dividesInputs = dividesInputs
    self.settings = settings
    if case .routed = expert { isRouted = true } else { isRouted = false }
    switch expert {
    // `check_moe_marlin_supports_layer`: hidden size by 128, inner channels by 64 and by groups.
    case .routed?: (outputMultiple, inputMultiple) = (128, dividesInputs ? 64 : 128)
    // `verify_marlin_supports_shape`.
    case .shared?, nil: (outputMultiple, inputMultiple) = (64, 128)
    }
  }

  /// Each kind once, whatever its block.
  ///
  /// - Parameter kept: Modules that aren't quantized.
  /// - Returns: And sentences about modules that vLLM joins, but that aren't quantized alike.
  static func all(
    of configuration: ModelConfiguration, _ plan: QuantizationPlan, keeping kept: Set<String>
  ) -> (linears: [ServedLinear], mixtures: [String]) {
    var linears: [ServedLinear] = []
    var mixtures: [String] = []
    func settings(_ layer: LinearLayer) -> LoaderSettings? { kept.contains(layer.name) ? nil : plan[layer.name].map(LoaderSettings.init) }
    func add(_ linear: ServedLinear) { if !linears.contains(linear) { linears.append(linear) } }
    for block in 0..<configuration.blockCount {
      let fused = FusedModules.all(ofBlock: block, in: configuration)
      for module in fused where Set(module.parts.map(settings)).count > 1 { mixtures.append(module.name) }
      for stage in BlockStage.allCases {
        for group in configuration.inputGroups(of: stage, ofBlock: block) {
          let name = group.count == 1 ? nil : stage == .attentionInput ? "qkv_proj" : "gate_up_proj"
          guard let first = group.first, let settings = settings(first) else { continue }
          add(
            ServedLinear(
              Self.shortName(first, name), outputs: group.reduce(0) { $0 + $1.outputs }, inputs: first.inputs,
              dividesInputs: stage == .attentionOutput || stage == .mlpOutput, of: first.place.expert, settings))
        }
      }
    }
    if plan.quantizesHead, !kept.contains(configuration.architecture.outputHeadModule) {
      let head = LayerIdentity(outputHeadOf: configuration)
      // vLLM pads the vocabulary.
      add(
        ServedLinear(
          head.name, outputs: (head.outputs + 63) / 64 * 64, inputs: head.inputs, dividesInputs: false,
          LoaderSettings(plan[head.name] ?? plan.base)))
    }
    return (linears, mixtures)
  }

  private static func shortName(_ layer: LinearLayer, _ fused: String?) -> String {
    let name = fused ?? layer.moduleName
    return switch layer.place.expert {
    case .routed?: "experts' \(name)"
    case .shared?: "shared_expert.\(name)"
    case nil: name
    }
  }

  /// What stands against dividing it among some GPUs.
  func obstacles(dividedBy size: Int, _ configuration: ModelConfiguration) -> [String] {
    guard (dividesInputs ? inputs : outputs) % size == 0 else { return ["\(name) can't be divided by \(size)"] }
    var partOutputs = dividesInputs ? outputs : outputs / size
    let partInputs = dividesInputs ? inputs / size : inputs
    if name == "qkv_proj", size > configuration.keyValueHeads {
      // Key and value heads are repeated on several GPUs.
      partOutputs = configuration.queryChannels / size + 2 * configuration.headSize
    }
    func obstacle(_ count: Int, _ channels: String, _ divisor: Int, _ divisorName: String = "") -> String? {
      guard count % divisor != 0 else { return nil }
      return "\(name) has \(count) \(channels) channels on each GPU, not a multiple of \(divisorName)\(divisor)"
    }
    return [
      obstacle(partOutputs, "output", outputMultiple), obstacle(partInputs, "input", inputMultiple),
      groupSize > 0 && groupSize < inputs ? obstacle(partInputs, "input", groupSize, "group_size ") : nil,
    ].compactMap { $0 }
  }
}
