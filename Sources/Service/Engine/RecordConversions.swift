import JobModel
import Quantization

extension AttemptRecord.Cause {
  init(_ cause: Attempt.Cause) {
    switch cause {
    case .nonFiniteInput: self = .nonFiniteInput
    case .starved: self = .starved
    case .rankDeficient: self = .rankDeficient
    case .rounding: self = .rounding
    case .incurable: self = .incurable
    }
  }
}

extension AttemptRecord.Remedy {
  init(_ remedy: Attempt.Remedy) {
    switch remedy {
    case .droppedSamples: self = .droppedSamples
    case .moreSamples: self = .moreSamples
    case .allTokens: self = .allTokens
    case .float64: self = .float64
    case .damping: self = .damping
    case .fail: self = .fail
    case .rtn: self = .rtn
    case .keep: self = .keep
    }
  }
}

extension AttemptRecord.Origin {
  init(_ origin: Attempt.Origin) {
    switch origin {
    case .request: self = .request
    case .history: self = .history
    case .ladder: self = .ladder
    }
  }
}

extension AttemptRecord.Precision {
  init(_ precision: Attempt.Precision) { self = precision == .float32 ? .float32 : .float64 }
}

extension LayerRecord.Method {
  init(_ method: LayerOutcome.Method) {
    switch method {
    case .gptq: self = .gptq
    case .rtn: self = .rtn
    case .keep: self = .keep
    }
  }
}

extension LayerRecord.Kept {
  init(_ kept: LayerOutcome.Kept) {
    self.init(scaleSearch: kept.scaleSearch, scaleRefinement: kept.scaleRefinement, errorCompensation: kept.errorCompensation)
  }
}

extension LayerRecord {
  /// A layer that is still to be done.
  init(_ layer: LayerIdentity) {
    self.init(name: layer.name, position: layer.position, block: layer.block, shape: [layer.outputs, layer.inputs])
  }
}

extension QuantizationOptions {
  /// The options that a request means.
  init(_ request: QuantizationRequest) {
    self.init(
      method: request.method == .gptq ? .gptq : .rtn, bits: request.bits, groupSize: request.groupSize > 0 ? request.groupSize : nil,
      isSymmetric: request.sym,
      ordering: request.descAct ? .descendingActivation : request.actGroupAware ? .groupAware : .none, damping: request.dampPercent,
      format: request.format == .gptq ? .v1 : .v2, searchesScales: request.mse, refinesScales: request.scaleRefinement,
      errorCompensation: request.errorCompensation)
  }
}

extension ModuleRule {
  /// The rule that a request means.
  init(_ rule: DynamicRule) {
    self.init(
      pattern: rule.pattern, expression: rule.expression, leavesAlone: rule.leavesAlone, bits: rule.bits, groupSize: rule.groupSize,
      isSymmetric: rule.sym, ordersByActivation: rule.descAct, searchesScales: rule.mse, damping: rule.dampPercent)
  }
}

extension RecoveryPolicy {
  /// The policy that a request means.
  init(_ request: JobRequest) {
    let onExhausted: Exhausted =
      switch request.recovery.onExhausted {
      case .fail: .fail
      case .rtn: .rtn
      case .keep: .keep
      }
    let starvedExperts: StarvedExpert =
      switch request.moe?.starved ?? .allTokens {
      case .allTokens: .allTokens
      case .rtn: .rtn
      case .keep: .keep
      }
    self.init(escalation: request.recovery.escalateSamples, onExhausted: onExhausted, starvedExperts: starvedExperts)
  }
}
