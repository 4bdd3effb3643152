import Transformer

/// Told what a model's quantization does, on the thread that does it. Every method may throw to stop the work.
public protocol QuantizationObserver {
  /// A layer's Hessian is about to be factored, or its weights rounded.
  func began(_ layer: LinearLayer) throws
  /// A try at a layer's Hessian ended.
  func tried(_ attempt: Attempt, for layer: LinearLayer, samples: Int, tokens: Int, loss: Double?) throws
  func finished(_ outcome: LayerOutcome) throws
  /// Throws `QuantizationCancelled` where the caller wants to stop; asked several times a layer.
  func checkCancellation() throws
}

/// What became of a layer.
public struct LayerOutcome: Sendable {
  public let layer: LinearLayer
  public let method: QuantizationOptions.Method
  /// nil for methods without a Hessian.
  public let damping: Double?
  public let attempts: [Attempt]
  /// tr((W−Q)·H·(W−Q)ᵀ).
  public let loss: Double?
  public let relativeLoss: Double?
  /// Calibration sequences and tokens in the Hessian.
  public let samples: Int
  public let tokens: Int
  public let deadColumns: Int
  /// The layer's own work, factorisations shared with others of its stage included in the first of them.
  public let seconds: Double
}
