/// What a client asks for with `POST /v1/jobs`; the field names on the wire are those that GPTQ users know
/// (`group_size`, `desc_act`, …). Values are within their ranges: `init(parsing:)` is the only way in from outside.
public struct JobRequest: Codable, Sendable, Hashable {
  /// Name of a folder below one of the configured model roots.
  public var model: String
  public var quantization: QuantizationRequest
  public var calibration: CalibrationRequest?
  public var evaluation: EvaluationRequest?
  /// Higher runs first; equal priorities run in the order of submission.
  public var priority: Int

  public init(
    model: String, quantization: QuantizationRequest = .init(), calibration: CalibrationRequest? = nil,
    evaluation: EvaluationRequest? = nil, priority: Int = 0
  ) {
    self.model = model
    self.quantization = quantization
    self.calibration = calibration
    self.evaluation = evaluation
    self.priority = priority
  }
}

/// How the weights are quantized.
public struct QuantizationRequest: Codable, Sendable, Hashable {
  public enum Method: String, Codable, Sendable, CaseIterable {
    case gptq
    /// Round to nearest: needs no calibration data.
    case rtn
  }

  public enum Format: String, Codable, Sendable, CaseIterable {
    /// v1: the stored zero point is one less than the real one.
    case gptq
    /// v2: the zero point as it is.
    case gptqV2 = "gptq_v2"
  }

  public var method: Method
  /// 2, 3, 4 or 8.
  public var bits: Int
  /// Input channels that share a scale; −1: all of a row.
  public var groupSize: Int
  public var sym: Bool
  /// Columns by falling activation; the result needs `g_idx` at inference.
  public var descAct: Bool
  /// Columns by falling activation within and among groups, which stay contiguous in the checkpoint.
  public var actGroupAware: Bool
  /// First damping tried, as a fraction of the Hessian's mean diagonal.
  public var dampPercent: Double
  public var format: Format

  public init(
    method: Method = .gptq, bits: Int = 4, groupSize: Int = 128, sym: Bool = true, descAct: Bool = false,
    actGroupAware: Bool? = nil, dampPercent: Double = 0.01, format: Format = .gptq
  ) {
    self.method = method
    self.bits = bits
    self.groupSize = groupSize
    self.sym = sym
    self.descAct = descAct
    self.actGroupAware = actGroupAware ?? !descAct
    self.dampPercent = dampPercent
    self.format = format
  }
}

/// The text whose activations the Hessians are made of.
public struct CalibrationRequest: Codable, Sendable, Hashable {
  /// Name of a `.jsonl` file, without its ending, below one of the configured dataset roots.
  public var dataset: String
  /// Number of sequences; nil: 128, or as many as the data gives.
  public var samples: Int?
  /// Tokens of each sequence; nil: 2048, or the model's limit if that is less.
  public var sequenceLength: Int?
  /// Chooses which sequences of the data are taken.
  public var seed: UInt64

  public init(dataset: String, samples: Int? = nil, sequenceLength: Int? = nil, seed: UInt64 = 0) {
    self.dataset = dataset
    self.samples = samples
    self.sequenceLength = sequenceLength
    self.seed = seed
  }
}

/// The text on which perplexity is measured before and after.
public struct EvaluationRequest: Codable, Sendable, Hashable {
  /// Name of a `.jsonl` file, without its ending, below one of the configured dataset roots.
  public var dataset: String
  /// Number of sequences from the start of the data; nil: at most 24.
  public var samples: Int?
  /// Tokens of each sequence; nil: 512, or the model's limit if that is less.
  public var sequenceLength: Int?

  public init(dataset: String, samples: Int? = nil, sequenceLength: Int? = nil) {
    self.dataset = dataset
    self.samples = samples
    self.sequenceLength = sequenceLength
  }
}
