import StrictJSON

extension JobRequest {

  /// Reads a request from outside.
  ///
  /// - Throws: `Problem` (422) that names every wrong, missing or unknown field by its JSON pointer.
  public init(parsing json: JSONValue) throws(Problem) {
    guard case .object(let object) = json else {
      throw Problem.invalidRequest([.init(pointer: "", detail: "must be an object, is \(json.kindDescription)")])
    }
    var reader = RequestReader(object, at: "")
    let kind = reader.choice("kind", of: Kind.self) ?? .model
    let isKindKnown = reader.errors.isEmpty
    let model = reader.model(of: isKindKnown ? kind : nil)
    let quantization =
      reader.nested("quantization") { QuantizationRequest(reading: &$0, kind: kind) } ?? .defaults(for: kind)
    let damping = reader.nested("damping") { DampingRequest(reading: &$0) } ?? .init()
    let recovery = reader.nested("recovery") { RecoveryRequest(reading: &$0, kind: kind) } ?? .defaults(for: kind)
    let moe = reader.nested("moe") { MixtureRequest(reading: &$0) }
    let calibration = reader.nested("calibration") { CalibrationRequest(reading: &$0) } ?? nil
    let evaluation = reader.nested("evaluation") { EvaluationRequest(reading: &$0) } ?? nil
    let webhook = reader.webhook()
    let priority = reader.int("priority", in: -1000...1000) ?? 0
    let slurm = reader.slurm()
    let nodes = reader.nodes()
    if let nodes, nodes > 1, kind == .layers { reader.report("nodes", Self.noNodesForLayers) }
    if isKindKnown { Self.checkData(of: kind, quantization.method, &reader) }
    let errors = reader.finished()
    guard errors.isEmpty, let model else { throw Problem.invalidRequest(errors) }
    self.init(
      kind: kind, model: model, quantization: quantization, damping: damping, recovery: recovery, moe: moe,
      calibration: calibration, evaluation: evaluation, webhook: webhook, priority: priority, slurm: slurm, nodes: nodes)
  }

  static let noNodesForLayers = "must be 1 with kind \"layers\": single layers have no calibration sequences to share; leave it out"

  private static func checkData(of kind: Kind, _ method: QuantizationRequest.Method, _ reader: inout RequestReader) {
    switch kind {
    case .model:
      if method == .gptq, !reader.has("calibration") {
        reader.report("calibration", "is missing: method \"gptq\" needs calibration text; only \"rtn\" works without")
      }
    case .layers:
      if reader.has("moe") { reader.report("moe", MixtureRequest.noExperts) }
      if reader.has("calibration") {
        reader.report("calibration", "can't go with kind \"layers\": the file brings its own Hessians; leave it out")
      }
      if reader.has("evaluation") {
        reader.report("evaluation", "can't go with kind \"layers\": single layers have no perplexity; leave it out")
      }
    }
  }
}

extension QuantizationRequest {
  /// Layers have no second stream of activations, whose difference would be compensated.
  fileprivate static func defaults(for kind: JobRequest.Kind) -> QuantizationRequest {
    switch kind {
    case .model: QuantizationRequest()
    case .layers: QuantizationRequest(errorCompensation: 0)
    }
  }

  fileprivate init(reading reader: inout RequestReader, kind: JobRequest.Kind) {
    self = .defaults(for: kind)
    method = reader.choice("method", of: Method.self) ?? method
    bits = reader.bits() ?? bits
    groupSize = reader.groupSize() ?? groupSize
    sym = reader.bool("sym") ?? sym
    descAct = reader.bool("desc_act") ?? descAct
    actGroupAware = reader.bool("act_group_aware") ?? !descAct
    if descAct, actGroupAware { reader.report("act_group_aware", "can't be true together with desc_act: choose one order") }
    dampPercent = reader.dampPercent() ?? dampPercent
    format = reader.choice("format", of: Format.self) ?? format
    mse = reader.bool("mse") ?? mse
    scaleRefinement = reader.bool("scale_refinement") ?? scaleRefinement
    errorCompensation = reader.double("error_compensation", in: 0...1) ?? errorCompensation
    lmHead = reader.bool("lm_head") ?? lmHead
    dynamic = reader.dynamic() ?? dynamic
    if kind == .layers, lmHead {
      reader.report("lm_head", "can't be true with kind \"layers\": all layers of the file are quantized; leave it out")
    }
    if kind == .layers, errorCompensation > 0 {
      reader.report(
        "error_compensation",
        "must be 0 with kind \"layers\", is \(errorCompensation): single layers don't tell what the layers before them did; leave it out")
    }
  }
}

extension DampingRequest {
  fileprivate init(reading reader: inout RequestReader) { self.init(start: reader.dampingStart() ?? .history) }
}

extension RecoveryRequest {
  /// A file of layers has no further rows.
  fileprivate static func defaults(for kind: JobRequest.Kind) -> RecoveryRequest {
    switch kind {
    case .model: RecoveryRequest()
    case .layers: RecoveryRequest(escalateSamples: [])
    }
  }

  fileprivate init(reading reader: inout RequestReader, kind: JobRequest.Kind) {
    self = .defaults(for: kind)
    escalateSamples = reader.escalateSamples() ?? escalateSamples
    onExhausted = reader.onExhausted() ?? onExhausted
    if kind == .layers, !escalateSamples.isEmpty { reader.report("escalate_samples", Self.noMoreRows) }
  }

  static let noMoreRows = "must be empty with kind \"layers\": the file has no more calibration rows to go on to; leave it out"
}

extension MixtureRequest {
  fileprivate init(reading reader: inout RequestReader) { self.init(starved: reader.starvedExperts() ?? .allTokens) }

  static let noExperts = "can't go with kind \"layers\": single layers have no experts; leave it out"
}

extension CalibrationRequest {
  fileprivate init?(reading reader: inout RequestReader) {
    let dataset = reader.name("dataset", required: true)
    let samples = reader.int("samples", in: 1...(1 << 20))
    let sequenceLength = reader.int("sequence_length", in: 2...(1 << 20))
    let seed = reader.int("seed", in: 0...Int.max) ?? 0
    guard let dataset else { return nil }
    self.init(dataset: dataset, samples: samples, sequenceLength: sequenceLength, seed: UInt64(seed))
  }
}

extension EvaluationRequest {
  fileprivate init?(reading reader: inout RequestReader) {
    let dataset = reader.name("dataset", required: true)
    let samples = reader.int("samples", in: 1...(1 << 20))
    let sequenceLength = reader.int("sequence_length", in: 2...(1 << 20))
    guard let dataset else { return nil }
    self.init(dataset: dataset, samples: samples, sequenceLength: sequenceLength)
  }
}
