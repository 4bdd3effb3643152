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
  /// Bytes of the sums of experts that are calibrated at once; one expert's may be more.
  private let expertSums: Int
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
  ///   - ranks: That divide the sequences among themselves; the plan is of the one with the most.
  ///   - limit: Bytes that may be resident; nil: as many as it takes.
  /// - Throws: `QuantizationError.memoryLimit` where nothing fits.
  public init(
    _ configuration: ModelConfiguration, plan quantization: QuantizationPlan, samples: Int, length: Int, recovery: RecoveryPolicy,
    ranks: Int = 1, limit: Int?
  ) throws(QuantizationError) {
    let slices = TokenSlices(length: length, widest: configuration.intermediateSize)
    let all = samples > 0 ? Self.samples(configuration, samples, length: length, recovery) : 0
    let tokens = length * SampleDivision(slices, length: length, of: ranks).localCount(of: all)
    let wide = slices.pass
    func plan(keepsInner: Bool, toDisk: Bool, pass: Int, expertSums: Int = 1 << 30) -> MemoryPlan {
      let demand = MemoryDemand(
        configuration, plan: quantization, tokens: tokens, pass: min(pass, tokens), slices: slices, expertSums: expertSums, ranks: ranks)
      return MemoryPlan(keepsInner: keepsInner, toDisk: toDisk, pass: pass, expertSums: expertSums, demand)
    }
    // What is inside experts is computed twice always.
    let plans =
      (configuration.experts == nil ? [plan(keepsInner: true, toDisk: false, pass: wide)] : []) + [
        plan(keepsInner: false, toDisk: false, pass: wide), plan(keepsInner: false, toDisk: true, pass: wide),
        plan(keepsInner: false, toDisk: true, pass: slices.batch, expertSums: 0),
      ]
    guard let plan = plans.first(where: { $0.bytes <= limit ?? .max }) else {
      throw .memoryLimit(limit: limit ?? .max, needed: plans[plans.count - 1].bytes)
    }
    self = plan
  }

  private init(keepsInner: Bool, toDisk: Bool, pass: Int, expertSums: Int, _ demand: MemoryDemand) {
    tokensPerPass = pass
    self.expertSums = expertSums
    let spools = demand.spools + (keepsInner ? demand.innerSpool : 0)
    keepsInnerActivations = keepsInner
    spoolsToDisk = toDisk
    bytes = demand.fixed + (toDisk ? 0 : spools) + (keepsInner ? 0 : demand.innerBatch)
    diskBytes = toDisk ? spools : 0
  }
}

extension MemoryPlan {
  /// Calibration sequences that the job may come to use. Some expert or other is starved with any number.
  private static func samples(_ configuration: ModelConfiguration, _ initial: Int, length: Int, _ recovery: RecoveryPolicy) -> Int {
    guard configuration.experts == nil else { return max(initial, recovery.escalation.last ?? 0) }
    let widest = configuration.linears(ofBlock: 0).reduce(0) { max($0, $1.inputs) }
    return recovery.samples(from: initial, length: length, widest: widest)
  }

  /// How many experts' sums are added up at once.
  func groupsAtOnce(_ groups: [[LinearLayer]], compensates: Bool) -> Int {
    guard let layer = groups.first?.first else { return 1 }
    return max(1, expertSums / MemoryDemand.statistics(layer, compensates: compensates))
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
  /// All that no plan changes: the program, and the most of what a block or the output head takes: weights, statistics and a
  /// batch's activations.
  let fixed: Int

  /// What the process takes before it has a model, and what the allocator keeps of freed memory.
  private static let program = 192 << 20

  init(
    _ configuration: ModelConfiguration, plan: QuantizationPlan, tokens: Int, pass: Int, slices: TokenSlices, expertSums: Int, ranks: Int
  ) {
    let isCalibrated = plan.base.method == .gptq
    let compensates = isCalibrated && plan.base.errorCompensation > 0
    let streams = compensates ? 2 : 1
    let float = MemoryLayout<Float>.stride
    // Where blocks differ, the one with the most weights.
    let linears = (0..<configuration.blockCount).map(configuration.linears(ofBlock:)).max { Self.weights($0) < Self.weights($1) } ?? []
    let (queryChannels, keyChannels) = (configuration.queryChannels, configuration.keyChannels)
    let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
    spools = isCalibrated ? streams * tokens * (hidden + queryChannels) * float : 0
    innerSpool = isCalibrated ? streams * tokens * inner * float : 0
    let batch = min(tokens, slices.batch)
    innerBatch = isCalibrated ? streams * batch * inner * float : 0

    let weights = Self.weights(linears)
    let projected = linears.reduce(0) { $1.stage == .mlpInput ? max($0, $1.outputs) : $0 }
    // Inside experts: input, output and what is gathered, gate and up.
    let widths = configuration.experts == nil ? 2 * hidden + projected : 3 * hidden + max(projected, 2 * inner)
    let perCore = slices.slice * widths * float
    let activations = max(batch * streams * hidden, pass * (queryChannels + 2 * keyChannels)) * float + perCore * Cores.perJob
    let stages = linears.map { layer in
      guard isCalibrated else { return layer.outputs * layer.inputs * 7 }
      // Half a float64 Hessian, what compensation adds up, a factor (a float64 one is tried where float32 fails).
      let single = Self.statistics(layer, compensates: compensates)
      let gathered = layer.place.expert == nil ? 0 : batch * streams * (hidden + 2 * inner) * float
      let statistics = (layer.place.expert == nil ? single : max(single, expertSums) + single) + gathered
      let factor = 8 * layer.inputs * layer.inputs
      // Weights on their grid, codes while they are put together and packed; the rows that are in work.
      let result = layer.outputs * layer.inputs * 7 + Self.rowsInWork(layer.inputs, compensates: compensates)
      // The block as it was before quantization; of the layer in work that is counted above.
      let original = compensates ? (weights - layer.outputs * layer.inputs) * float : 0
      return original + statistics + max(factor + result, activations)
    }
    let head = plan.quantizesHead ? Self.head(LayerIdentity(outputHeadOf: configuration), plan) : 0
    let exchanged = ranks > 1 && isCalibrated ? Self.exchanged(linears) : 0
    fixed = Self.program + max(weights * float + (stages.max() ?? 0), head) + exchanged
  }

  /// The output head's packed parts and what is made of them, its Hessian and factor, and some of its rows with what they become.
  private static func head(_ layer: LayerIdentity, _ plan: QuantizationPlan) -> Int {
    let packed = layer.outputs * layer.inputs * (plan[layer.name] ?? plan.base).bits / 8
    let rows = min(layer.outputs, headRowsAtOnce) * layer.inputs * (MemoryLayout<Float>.stride + 7)
    return 2 * packed + 12 * layer.inputs * layer.inputs + rows + rowsInWork(layer.inputs, compensates: false)
  }

  /// What a core has of the rows that it quantizes.
  private static func rowsInWork(_ inputs: Int, compensates: Bool) -> Int {
    Cores.perJob * 256 * inputs * MemoryLayout<Float>.stride * (compensates ? 13 : 12)
  }

  /// Tiles of sums on their way from rank to rank, own and others', of which a Hessian's in float64 are most; and of quantized rows what a
  /// rank sends, what it gets, and what it makes of that.
  private static func exchanged(_ linears: [LinearLayer]) -> Int {
    let widest = linears.reduce(0) { max($0, $1.inputs) }
    let weights = linears.reduce(0) { max($0, $1.outputs * $1.inputs) }
    return 2 * min(SharedSums.bytesAtOnce, 4 * widest * widest) + 4 * weights
  }

  private static func weights(_ linears: [LinearLayer]) -> Int { linears.reduce(0) { $0 + $1.outputs * $1.inputs } }

  /// Sums over the inputs that a layer reads.
  static func statistics(_ layer: LinearLayer, compensates: Bool) -> Int {
    4 * layer.inputs * layer.inputs + (compensates ? compensation(layer, .init(layer)) : 0)
  }

  /// Sums over a stage's inputs, held-out inputs.
  private static func compensation(_ layer: LinearLayer, _ form: ErrorCompensation.Form) -> Int {
    let values = (form == .outputs ? layer.outputs : layer.inputs) + 4 * HeldOutInputs.limit
    return values * layer.inputs * MemoryLayout<Float>.stride
  }
}
