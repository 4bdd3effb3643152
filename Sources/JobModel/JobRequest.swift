/// What a client asks for with `POST /v1/jobs`; the field names on the wire are those that GPTQ users know
/// (`group_size`, `desc_act`, …). Values are within their ranges: `init(parsing:)` is the only way in from outside.
public struct JobRequest: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A checkpoint in Hugging Face layout.
    case model
    /// A safetensors file with `weight` and `hessian` (or `inputs`) of single layers.
    case layers
  }

  public var kind: Kind
  /// What is quantized; the name of a `.safetensors` file for `kind: "layers"`.
  public var model: ModelReference
  public var quantization: QuantizationRequest
  public var damping: DampingRequest
  public var recovery: RecoveryRequest
  /// nil: the defaults, or no mixture of experts.
  public var moe: MixtureRequest?
  public var calibration: CalibrationRequest?
  public var evaluation: EvaluationRequest?
  /// nil: nobody is told of the job's end.
  public var webhook: WebhookRequest?
  /// Higher runs first; equal priorities run in the order of submission.
  public var priority: Int
  /// What it needs of a cluster; nil: the server's defaults.
  public var slurm: SlurmRequest?
  /// Nodes that compute it together; nil: one.
  public var nodes: Int?

  public init(
    kind: Kind = .model, model: ModelReference, quantization: QuantizationRequest = .init(), damping: DampingRequest = .init(),
    recovery: RecoveryRequest = .init(), moe: MixtureRequest? = nil, calibration: CalibrationRequest? = nil,
    evaluation: EvaluationRequest? = nil, webhook: WebhookRequest? = nil, priority: Int = 0, slurm: SlurmRequest? = nil, nodes: Int? = nil
  ) {
    self.kind = kind
    self.model = model
    self.quantization = quantization
    self.damping = damping
    self.recovery = recovery
    self.moe = moe
    self.calibration = calibration
    self.evaluation = evaluation
    self.webhook = webhook
    self.priority = priority
    self.slurm = slurm
    self.nodes = nodes
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
  /// Search each group's scale for the least weighted squared error instead of spanning its weights.
  public var mse: Bool
  /// Adjust the scales once the codes are fixed.
  public var scaleRefinement: Bool
  /// Which part of the output error that earlier layers made is compensated; 0: none.
  public var errorCompensation: Double
  /// Quantize the output head too, where it isn't the embedding.
  public var lmHead: Bool
  /// What is different for some modules, in order.
  public var dynamic: [DynamicRule]

  public init(
    method: Method = .gptq, bits: Int = 4, groupSize: Int = 128, sym: Bool = true, descAct: Bool = false,
    actGroupAware: Bool? = nil, dampPercent: Double = 0.01, format: Format = .gptq, mse: Bool = true, scaleRefinement: Bool = true,
    errorCompensation: Double = 0.5, lmHead: Bool = false, dynamic: [DynamicRule] = []
  ) {
    self.method = method
    self.bits = bits
    self.groupSize = groupSize
    self.sym = sym
    self.descAct = descAct
    self.actGroupAware = actGroupAware ?? !descAct
    self.dampPercent = dampPercent
    self.format = format
    self.mse = mse
    self.scaleRefinement = scaleRefinement
    self.errorCompensation = errorCompensation
    self.lmHead = lmHead
    self.dynamic = dynamic
  }
}

/// Where damping starts.
public struct DampingRequest: Codable, Sendable, Hashable {
  public enum Start: String, Codable, Sendable, CaseIterable {
    /// At what worked for the same layer of the same model and calibration, if a job had to go beyond `damp_percent` before.
    case history
    /// At `damp_percent`.
    case fixed
  }

  public var start: Start

  public init(start: Start = .history) { self.start = start }
}

/// What is done about a layer that can't be quantized as asked.
public struct RecoveryRequest: Codable, Sendable, Hashable {
  public enum Exhausted: String, Codable, Sendable, CaseIterable {
    /// The job fails.
    case fail
    /// The layer is rounded to nearest; the job is degraded.
    case rtn
    /// The layer stays in 16 bits; the job is degraded.
    case keep
  }

  /// Calibration sequences that a layer with fewer than two tokens a column goes on to, rising; empty: never more.
  public var escalateSamples: [Int]
  /// What becomes of a layer that no remedy cures.
  public var onExhausted: Exhausted

  public init(escalateSamples: [Int] = [256, 512], onExhausted: Exhausted = .fail) {
    self.escalateSamples = escalateSamples
    self.onExhausted = onExhausted
  }
}

/// What is done about mixtures of experts.
public struct MixtureRequest: Codable, Sendable, Hashable {
  public enum Starved: String, Codable, Sendable, CaseIterable {
    /// The inputs of all tokens of the block fill the expert's Hessian up.
    case allTokens = "all_tokens"
    /// The expert is rounded to nearest; the job is degraded.
    case rtn
    /// The expert stays in 16 bits; the job is degraded.
    case keep
  }

  /// What becomes of an expert that too few tokens reach, when there are no more calibration sequences.
  public var starved: Starved

  public init(starved: Starved = .allTokens) { self.starved = starved }
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
