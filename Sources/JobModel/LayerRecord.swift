/// One linear layer of a job: what was done to it and how well it went.
public struct LayerRecord: Codable, Sendable, Hashable {
  public enum State: String, Codable, Sendable { case pending, running, done, failed }

  /// Name in the checkpoint without `.weight`, such as `model.layers.0.self_attn.q_proj`.
  public var name: String
  /// Order in which the job handles its layers, from 0.
  public var position: Int
  public var block: Int
  public var state: State
  /// Output and input channels.
  public var shape: [Int]
  public var method: QuantizationRequest.Method?
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
  /// Calibration tokens in the Hessian.
  public var tokens: Int?
  /// Input channels that no calibration token activates.
  public var deadColumns: Int?
  /// Wall time of the layer's own work: factorisation, solving, packing.
  public var seconds: Double?

  public init(
    name: String, position: Int, block: Int, state: State = .pending, shape: [Int], method: QuantizationRequest.Method? = nil,
    bits: Int? = nil, groupSize: Int? = nil, damping: Double? = nil, attempts: Int = 0, loss: Double? = nil,
    relativeLoss: Double? = nil, tokens: Int? = nil, deadColumns: Int? = nil, seconds: Double? = nil
  ) {
    self.name = name
    self.position = position
    self.block = block
    self.state = state
    self.shape = shape
    self.method = method
    self.bits = bits
    self.groupSize = groupSize
    self.damping = damping
    self.attempts = attempts
    self.loss = loss
    self.relativeLoss = relativeLoss
    self.tokens = tokens
    self.deadColumns = deadColumns
    self.seconds = seconds
  }
}
