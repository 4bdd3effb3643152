import LinearAlgebra
import Transformer

/// How a job divides the memory that it may use: what is kept between stages, and what is computed twice or put on disk instead.
public struct MemoryPlan: Sendable, Hashable {
  /// Inputs of the down projection are kept; else they are computed twice.
  public let keepsInnerActivations: Bool
  /// Activations are kept in memory-mapped files; else in memory.
  public let spoolsToDisk: Bool
  /// Tokens that go through a stage at once: enough slices for every core.
  let tokensPerPass: Int
  /// Most bytes that are resident at a time, by this plan.
  public let bytes: Int
  /// Bytes on disk for activations.
  public let diskBytes: Int

  /// The fastest plan that fits.
  ///
  /// - Parameters:
  ///   - samples: Calibration sequences that the job begins with.
  ///   - length: Of a sequence.
  ///   - recovery: May ask for more.
  ///   - limit: Bytes that may be resident; nil: as many as it takes.
  /// - Throws: `QuantizationError.memoryLimit` where nothing fits.
  public init(
    _ configuration: ModelConfiguration, options: QuantizationOptions, samples: Int, length: Int, recovery: RecoveryPolicy, limit: Int?
  ) throws(QuantizationError) {
    let widest = configuration.linears(ofBlock: 0).reduce(0) { max($0, $1.inputs) }
    let tokens = length * (samples > 0 ? recovery.samples(from: samples, length: length, widest: widest) : 0)
    let slices = TokenSlices(length: length, widest: configuration.intermediateSize)
    let wide = slices.pass
    func plan(keepsInner: Bool, toDisk: Bool, pass: Int) -> MemoryPlan {
      let demand = MemoryDemand(configuration, options: options, tokens: tokens, pass: min(pass, tokens), slices: slices)
      return MemoryPlan(keepsInner: keepsInner, toDisk: toDisk, pass: pass, demand)
    }
    let plans = [
      plan(keepsInner: true, toDisk: false, pass: wide), plan(keepsInner: false, toDisk: false, pass: wide),
      plan(keepsInner: false, toDisk: true, pass: wide), plan(keepsInner: false, toDisk: true, pass: slices.batch),
    ]
    guard let plan = plans.first(where: { $0.bytes <= limit ?? .max }) else {
      throw .memoryLimit(limit: limit ?? .max, needed: plans[plans.count - 1].bytes)
    }
    self = plan
  }

  private init(keepsInner: Bool, toDisk: Bool, pass: Int, _ demand: MemoryDemand) {
    tokensPerPass = pass
    let spools = demand.spools + (keepsInner ? demand.innerSpool : 0)
    keepsInnerActivations = keepsInner
    spoolsToDisk = toDisk
    bytes = demand.fixed + (toDisk ? 0 : spools) + (keepsInner ? 0 : demand.innerBatch)
    diskBytes = toDisk ? spools : 0
  }
}

/// Bytes that parts of a job need.
private struct MemoryDemand {
  /// Hidden states and attention outputs of all tokens.
  let spools: Int
  /// Inputs of the down projection of all tokens.
  let innerSpool: Int
  /// Those of a batch.
  let innerBatch: Int
  /// All that no plan changes: the block's weights, the largest stage's statistics, a batch's activations, the program.
  let fixed: Int

  /// What the process takes before it has a model, and what the allocator keeps of freed memory.
  private static let program = 192 << 20

  init(_ configuration: ModelConfiguration, options: QuantizationOptions, tokens: Int, pass: Int, slices: TokenSlices) {
    let isCalibrated = options.method == .gptq
    let compensates = isCalibrated && options.errorCompensation > 0
    let streams = compensates ? 2 : 1
    let float = MemoryLayout<Float>.stride
    let linears = configuration.linears(ofBlock: 0)
    let (queryChannels, keyChannels) = (configuration.queryChannels, configuration.keyChannels)
    let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
    spools = isCalibrated ? streams * tokens * (hidden + queryChannels) * float : 0
    innerSpool = isCalibrated ? streams * tokens * inner * float : 0
    let batch = min(tokens, slices.batch)
    innerBatch = isCalibrated ? streams * batch * inner * float : 0

    let weights = linears.reduce(0) { $0 + $1.outputs * $1.inputs }
    let projected = linears.reduce(0) { $1.stage == .mlpInput ? max($0, $1.outputs) : $0 }
    let perCore = slices.slice * (2 * hidden + projected) * float
    let activations = max(batch * streams * hidden, pass * (queryChannels + 2 * keyChannels)) * float + perCore * Cores.perJob
    let stages = linears.map { layer in
      let square = layer.inputs * layer.inputs
      guard isCalibrated else { return layer.outputs * layer.inputs * 7 }
      // Half a float64 Hessian, what compensation adds up, a factor (a float64 one is tried where float32 fails).
      let statistics = 4 * square + (compensates ? Self.compensation(layer, .init(layer.stage, of: configuration)) : 0)
      let factor = 8 * square
      // Weights on their grid, codes while they are put together and packed; the rows that are in work.
      let result = layer.outputs * layer.inputs * 7 + Cores.perJob * 256 * layer.inputs * float * 12
      // The block as it was before quantization; of the layer in work that is counted above.
      let original = compensates ? (weights - layer.outputs * layer.inputs) * float : 0
      return original + statistics + max(factor + result, activations)
    }
    fixed = Self.program + weights * float + (stages.max() ?? 0)
  }

  /// Sums over a stage's inputs, held-out inputs, the layer's correlation.
  private static func compensation(_ layer: LinearLayer, _ form: ErrorCompensation.Form) -> Int {
    let values = (form == .outputs ? layer.outputs : layer.inputs) + 4 * HeldOutInputs.limit + layer.outputs
    return values * layer.inputs * MemoryLayout<Float>.stride
  }
}
