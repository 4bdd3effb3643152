/// What keeps a model or a layer from being quantized.
public enum QuantizationError: Error, Hashable, Sendable, CustomStringConvertible {
  case groupTooLarge(layer: String, groupSize: Int, inputs: Int)
  case cannotPack(layer: String, channels: String, count: Int, bits: Int)
  case scaleOverflow(layer: String, largest: Double)
  case nonFiniteWeight(tensor: String, index: Int)
  /// An activation that is NaN or infinite, at this channel of this token of this calibration sequence.
  case nonFiniteInput(layer: String, sample: Int, token: Int, channel: Int)
  case nonFiniteResult(layer: String)
  /// No damping made the Hessian positive definite.
  case notPositiveDefinite(layer: String, order: Int, tokens: Int, columns: Int, largestDamping: Double)

  public var description: String {
    switch self {
    case .groupTooLarge(let layer, let groupSize, let inputs):
      "group_size \(groupSize) doesn't fit \(layer), which has \(inputs) input channels; use a divisor of \(inputs), or -1"
    case .cannotPack(let layer, let channels, let count, let bits):
      "\(layer) has \(count) \(channels) channels, which at \(bits) bits don't fill whole 32-bit words; use other bits"
    case .scaleOverflow(let layer, let largest):
      "\(layer) holds a weight of \(largest), whose scale is beyond float16; the weights are not those of a trained model"
    case .nonFiniteWeight(let tensor, let index):
      "the weight \(tensor) holds NaN or infinity at element \(index); the checkpoint is damaged, get it again"
    case .nonFiniteInput(let layer, let sample, let token, let channel):
      "the input of \(layer) is NaN or infinite at sequence \(sample), token \(token), channel \(channel)"
    case .nonFiniteResult(let layer):
      "the quantized weights of \(layer) overflowed float32"
    case .notPositiveDefinite(let layer, let order, let tokens, let columns, let largestDamping):
      "the Hessian of \(layer) (\(columns) columns, \(tokens) tokens) is not positive definite at leading minor \(order), even with damping \(largestDamping)"
    }
  }
}

/// The caller asked to stop; nothing that was written is of use.
public struct QuantizationCancelled: Error {
  public init() {}
}
