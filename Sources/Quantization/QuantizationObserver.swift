/// Told what a model's quantization does, on the thread that does it. Every method may throw to stop the work.
public protocol QuantizationObserver {
  /// A layer's Hessian is about to be factored, or its weights rounded.
  func began(_ layer: LayerIdentity) throws
  /// A try at a layer's Hessian ended.
  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) throws
  func finished(_ outcome: LayerOutcome) throws
  /// Something that the job's owner should know.
  func warn(_ message: String) throws
  /// What cured a layer of the same name, model and calibration before; nil: nothing, or history isn't to be used.
  func knownCure(for layer: LayerIdentity) throws -> KnownCure?
  /// Weights are checked and tokens embedded: work that is counted in operations begins.
  func beganCountedWork() throws
  /// Floating-point operations of work that was done.
  func did(_ flops: Double) throws
  /// More operations than were planned turned out to be needed.
  func needsMore(_ flops: Double) throws
  /// Throws `QuantizationCancelled` where the caller wants to stop; asked several times a layer.
  func checkCancellation() throws
}

/// Told of nothing to any effect: for ranks whose work another one reports.
public struct QuietObserver: QuantizationObserver {
  private let isCancelled: @Sendable () -> Bool

  /// - Parameter isCancelled: Asked several times a layer.
  public init(isCancelled: @escaping @Sendable () -> Bool = { false }) { self.isCancelled = isCancelled }

  public func began(_ layer: LayerIdentity) {}
  public func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) {}
  public func finished(_ outcome: LayerOutcome) {}
  public func warn(_ message: String) {}
  public func knownCure(for layer: LayerIdentity) -> KnownCure? { nil }
  public func beganCountedWork() {}
  public func did(_ flops: Double) {}
  public func needsMore(_ flops: Double) {}
  public func checkCancellation() throws { if isCancelled() { throw QuantizationCancelled() } }
}

/// What became of a layer.
public struct LayerOutcome: Sendable, Codable {
  public enum Method: String, Sendable, Codable {
    case gptq, rtn
    /// Left in the source's precision.
    case keep
  }

  /// What each optional step was worth.
  public struct Kept: Sendable, Hashable, Codable {
    /// Part of the rows whose searched scales have the smaller loss; nil where none were searched.
    public var scaleSearch: Double?
    /// Part of the rows that refined scales made better; nil where none were refined.
    public var scaleRefinement: Double?
    /// Part of the rows that compensation moved, for the better on held-out sequences; nil where it is off.
    public var errorCompensation: Double?
  }

  public let layer: LayerIdentity
  public let method: Method
  /// nil where it isn't quantized.
  public let bits: Int?
  /// −1: all columns; nil where it isn't quantized.
  public let groupSize: Int?
  /// Why another method than the one asked for was used; nil where it wasn't.
  public let degradedBy: Attempt.Cause?
  /// nil for methods without a Hessian.
  public let damping: Double?
  public let attempts: [Attempt]
  /// tr((W−Q)·H·(W−Q)ᵀ), W moved where an earlier error is compensated.
  public let loss: Double?
  public let relativeLoss: Double?
  public let kept: Kept
  /// Calibration sequences and tokens in the Hessian.
  public let samples: Int
  public let tokens: Int
  public let deadColumns: Int
  /// The layer's own work, factorisations shared with others of its stage included in the first of them.
  public let seconds: Double

  /// What worked after the first factorisation had failed; nil where none failed.
  public var cure: KnownCure? {
    let factorizations = attempts.filter { $0.detail == nil }
    guard factorizations.count > 1, let last = factorizations.last, last.succeeded else { return nil }
    return KnownCure(damping: last.damping, precision: last.precision)
  }

  init(
    layer: LayerIdentity, method: Method, options: QuantizationOptions? = nil, degradedBy: Attempt.Cause? = nil, damping: Double? = nil,
    attempts: [Attempt] = [], loss: Double? = nil, relativeLoss: Double? = nil, kept: Kept = Kept(), samples: Int = 0, tokens: Int = 0,
    deadColumns: Int = 0, seconds: Double
  ) {
    self.layer = layer
    self.method = method
    bits = options?.bits
    groupSize = options.map { $0.groupSize ?? -1 }
    self.degradedBy = degradedBy
    self.damping = damping
    self.attempts = attempts
    self.loss = loss
    self.relativeLoss = relativeLoss
    self.kept = kept
    self.samples = samples
    self.tokens = tokens
    self.deadColumns = deadColumns
    self.seconds = seconds
  }
}

/// A layer with what goes into the checkpoint for it.
struct LayerResult: Sendable {
  let outcome: LayerOutcome
  /// nil where the source's tensor stays.
  let packed: PackedLayer?
}
