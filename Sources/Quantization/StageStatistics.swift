import LinearAlgebra
import Transformer

/// What the inputs of some linears that read them in common add up to.
struct StageStatistics {
  let layers: [LinearLayer]
  /// First one that is tried.
  let damping: Double
  private(set) var hessian: HessianAccumulator
  private var compensation: ErrorCompensation?
  private var heldOut: HeldOutInputs?
  /// What was found about the data.
  var log: AttemptLog

  /// - Parameters:
  ///   - damping: First one that is tried.
  ///   - strength: Of error compensation; 0: none.
  init(_ layers: [LinearLayer], damping: Double, compensating strength: Double, log: AttemptLog) {
    let columns = layers[0].inputs
    self.layers = layers
    self.damping = damping
    self.log = log
    hessian = HessianAccumulator(columns: columns)
    guard strength > 0 else { return }
    compensation = ErrorCompensation(strength: strength, form: .init(layers[0]), outputs: layers[0].outputs, inputs: columns)
    heldOut = HeldOutInputs(columns: columns)
  }

  var identities: [LayerIdentity] { layers.map { LayerIdentity($0) } }
  var expert: Expert? { layers[0].place.expert }
  /// They are of an expert that a router gives tokens.
  var isRouted: Bool {
    if case .routed = expert { true } else { false }
  }
  /// Fewer tokens make them starved.
  var neededTokens: Int { RecoveryPolicy.neededTokens(columns: layers[0].inputs) }
  var isStarved: Bool { hessian.tokens < neededTokens }
  var shortage: String { RecoveryPolicy.shortage(tokens: hessian.tokens, columns: layers[0].inputs) }

  /// Adds what the ranks have in a step.
  ///
  /// - Parameters:
  ///   - inputs: This rank's.
  ///   - tokens: Of each rank.
  /// - Throws: `RankError`.
  mutating func add(_ use: CalibrationSamples.Use, _ inputs: [StageInputs], tokens: [Int], sums: SharedSums) throws {
    switch use {
    case .calibration:
      try hessian.add(inputs.map(\.quantized), tokens: tokens, sums: sums)
      try compensation?.add(inputs, tokens: tokens, sums: sums)
    case .heldOut: try heldOut?.add(inputs, tokens: tokens, ranks: sums.ranks)
    }
  }

  /// Gets the sums to which all ranks added.
  ///
  /// - Throws: `RankError`.
  mutating func complete(_ sums: SharedSums) throws {
    try hessian.complete(sums)
    try compensation?.complete(sums)
  }

  /// Fills the Hessian up with inputs that the linears don't get, of which the other sums know nothing.
  mutating func complete(with others: HessianAccumulator) {
    hessian.complete(with: others, to: neededTokens)
    compensation = nil
  }

  /// An escalation came before anything was added.
  mutating func note(_ escalation: ExpertEscalation) {
    (log.samples, log.tokens) = (escalation.samples, escalation.tokens)
    log.add(.starved, escalation.detail, remedy: .moreSamples, damping: damping, seconds: escalation.seconds)
  }

  /// What was added up, which is gone then.
  mutating func takeHessian() -> SymmetricMatrix {
    var taken = HessianAccumulator(columns: 0)
    swap(&taken, &hessian)
    return taken.hessian()
  }

  /// - Parameters:
  ///   - length: Tokens of a sequence.
  ///   - samples: Sequences in use, of which experts see some tokens.
  mutating func count(length: Int, samples: Int) {
    log.tokens = hessian.tokens
    log.samples = expert == nil ? hessian.tokens / length : samples
  }

  func proposal() -> CompensationProposal? {
    guard let compensation, let heldOut, heldOut.tokens > 0 else { return nil }
    return compensation.proposal(heldOut: heldOut)
  }
}
