/// One linear layer of a job: what was done to it and how well it went.
public struct LayerRecord: Codable, Sendable, Hashable {
  public enum State: String, Codable, Sendable, CaseIterable { case pending, running, done, failed }

  /// How a layer was quantized, or that it wasn't.
  public enum Method: String, Codable, Sendable, CaseIterable {
    case gptq, rtn
    /// Left in the source's precision.
    case keep
  }

  /// What each optional step of a layer's quantization was worth.
  public struct Kept: Codable, Sendable, Hashable {
    /// Part of the rows whose searched scales have the smaller loss, 0 to 1; nil where `mse` is off.
    public var scaleSearch: Double?
    /// Part of the rows that refined scales made better, 0 to 1; nil where `scale_refinement` is off.
    public var scaleRefinement: Double?
    /// Part of the rows that compensation moved, for the better on held-out sequences, 0 to 1; nil where `error_compensation` is off.
    public var errorCompensation: Double?

    public init(scaleSearch: Double? = nil, scaleRefinement: Double? = nil, errorCompensation: Double? = nil) {
      self.scaleSearch = scaleSearch
      self.scaleRefinement = scaleRefinement
      self.errorCompensation = errorCompensation
    }
  }

  /// Name in the checkpoint without `.weight`, such as `model.layers.0.self_attn.q_proj`.
  public var name: String
  /// Order in which the job handles its layers, from 0.
  public var position: Int
  public var block: Int
  public var state: State
  /// Output and input channels.
  public var shape: [Int]
  public var method: Method?
  /// The request's method didn't work here, so another was used.
  public var degraded: Bool
  /// Why it didn't.
  public var cause: AttemptRecord.Cause?
  public var bits: Int?
  public var groupSize: Int?
  /// Damping of the attempt that worked, as a fraction of the mean diagonal.
  public var damping: Double?
  /// How many attempts were made; their rows are `AttemptRecord`s.
  public var attempts: Int
  /// tr((W−Q)·H·(W−Q)ᵀ), H = 2/T·XᵀX.
  public var loss: Double?
  /// The loss divided by tr(W·H·Wᵀ).
  public var relativeLoss: Double?
  public var kept: Kept?
  /// Calibration tokens in the Hessian.
  public var tokens: Int?
  /// Input channels that no calibration token activates.
  public var deadColumns: Int?
  /// Wall time of the layer's own work: factorisation, solving, packing.
  public var seconds: Double?

  public init(
    name: String, position: Int, block: Int, state: State = .pending, shape: [Int], method: Method? = nil, degraded: Bool = false,
    cause: AttemptRecord.Cause? = nil, bits: Int? = nil, groupSize: Int? = nil, damping: Double? = nil, attempts: Int = 0,
    loss: Double? = nil, relativeLoss: Double? = nil, kept: Kept? = nil, tokens: Int? = nil, deadColumns: Int? = nil,
    seconds: Double? = nil
  ) {
    self.name = name
    self.position = position
    self.block = block
    self.state = state
    self.shape = shape
    self.method = method
    self.degraded = degraded
    self.cause = cause
    self.bits = bits
    self.groupSize = groupSize
    self.damping = damping
    self.attempts = attempts
    self.loss = loss
    self.relativeLoss = relativeLoss
    self.kept = kept
    self.tokens = tokens
    self.deadColumns = deadColumns
    self.seconds = seconds
  }
}
