import Transformer

/// What keeps a model or a layer from being quantized.
public enum QuantizationError: Error, Hashable, Sendable, CustomStringConvertible {
  case groupTooLarge(layer: String, groupSize: Int, inputs: Int)
  case cannotPack(layer: String, channels: String, count: Int, bits: Int)
  case scaleOverflow(layer: String, largest: Double)
  case nonFiniteWeight(tensor: String, index: Int)
  /// More calibration samples than may be dropped have activations that are NaN or infinite; the first of them.
  case nonFiniteActivation(NonFiniteActivation, layer: String, samples: Int, of: Int)
  /// A layer file's tensor that is NaN or infinite.
  case nonFiniteTensor(tensor: String, row: Int, column: Int)
  case nonFiniteResult(layer: String)
  /// No damping made the Hessian positive definite.
  case notPositiveDefinite(layer: String, columns: Int, attempts: [Attempt])
  /// A layer file that doesn't hold what layer jobs need.
  case invalidLayerFile(String)
  /// A pattern of `dynamic`.
  case invalidRule(String, reason: String)
  /// The output head can't be quantized: it is the embedding.
  case tiedHead
  /// Bytes.
  case memoryLimit(limit: Int, needed: Int)
  /// Work that several ranks can't share.
  case needsOneRank(what: String, ranks: Int)
  /// Two ranks of a job don't have the same of something.
  case ranksDiffer(what: String, ranks: [Int])

  public var isMemoryLimit: Bool {
    if case .memoryLimit = self { true } else { false }
  }

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
    case .nonFiniteActivation(let activation, let layer, let samples, let count):
      "the inputs of \(layer) are NaN or infinite for \(samples) of \(count) calibration samples, more than the 1 % that may be dropped; "
        + "first in \(activation)"
    case .nonFiniteTensor(let tensor, let row, let column):
      "\(tensor) is NaN or infinite at row \(row), column \(column)"
    case .nonFiniteResult(let layer):
      "the quantized weights of \(layer) overflowed float32"
    case .notPositiveDefinite(let layer, let columns, let attempts):
      Self.notPositiveDefinite(layer, columns, attempts)
    case .invalidLayerFile(let reason): reason
    case .invalidRule(let pattern, let reason): "the pattern \"\(pattern)\" \(reason)"
    case .tiedHead:
      "lm_head can't be quantized: this model's output head is its embedding (tie_word_embeddings), which stays in 16 bits; "
        + "leave lm_head out"
    case .memoryLimit(let limit, let needed):
      "the job needs \(needed) bytes (\(Self.gibibytes(needed))) of memory with everything on disk that can be, and may use \(limit): "
        + "raise compute.memory_limit, or ask for shorter sequences, fewer workers or no error compensation"
    case .needsOneRank(let what, let ranks):
      "\(what) can't be shared by several processes, and \(ranks) were given; run the job on one"
    case .ranksDiffer(let what, let ranks):
      "ranks \(ranks.map(String.init).joined(separator: " and ")) of the job have not the same \(what); all need the same files, the same "
        + "build of gptqd and BLAS, and the same kind of processor"
    }
  }

  private static func gibibytes(_ bytes: Int) -> String {
    let tenths = (bytes + (1 << 30) / 10 - 1) / ((1 << 30) / 10)
    return "\(tenths / 10).\(tenths % 10) GiB"
  }

  private static func notPositiveDefinite(_ layer: String, _ columns: Int, _ attempts: [Attempt]) -> String {
    guard let last = attempts.last else { return "the Hessian of \(layer) is not positive definite" }
    let subject = "the Hessian of \(layer) (\(columns) columns\(last.tokens > 0 ? ", \(last.tokens) tokens" : ""))"
    if let detail = last.detail { return "\(subject) can't be used: \(detail)" }
    return "\(subject) is not positive definite at leading minor \(last.info), even in \(last.precision.rawValue) with damping "
      + "\(last.damping) of its mean diagonal"
  }
}

/// The caller asked to stop; finished blocks stay of use.
public struct QuantizationCancelled: Error {
  public init() {}
}
