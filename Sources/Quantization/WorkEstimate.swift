import Transformer

/// Floating-point operations that parts of a job take at least; the measure of progress.
public struct WorkEstimate: Sendable {
  private struct Stage: Sendable {
    let linears: [LinearLayer]
    /// Those that are quantized, by the input that they read.
    let groups: [[LinearLayer]]
  }

  private let blocks: [[BlockStage: Stage]]
  private let queryChannels: Int
  private let head: LayerIdentity
  private let plan: QuantizationPlan

  public init(_ configuration: ModelConfiguration, plan: QuantizationPlan) {
    blocks = (0..<configuration.blockCount).map { block in
      Dictionary(
        uniqueKeysWithValues: BlockStage.allCases.map { stage in
          let linears = configuration.inputGroups(of: stage, ofBlock: block).flatMap(\.self)
          return (stage, Stage(linears: linears, groups: plan.groups(of: stage, ofBlock: block, in: configuration)))
        })
    }
    queryChannels = configuration.queryChannels
    head = LayerIdentity(outputHeadOf: configuration)
    self.plan = plan
  }

  private func groups(_ block: Int, _ stage: BlockStage) -> [[LinearLayer]] { blocks[block][stage]?.groups ?? [] }

  private var groups: [[LinearLayer]] { blocks.flatMap { block in BlockStage.allCases.flatMap { block[$0]?.groups ?? [] } } }

  /// The linears of a stage, and for the attention output the attention before it.
  func forward(_ stage: BlockStage, ofBlock block: Int, tokens: Int, length: Int) -> Double {
    let linears = blocks[block][stage]?.linears ?? []
    let products = linears.reduce(0) { $0 + $1.share * Double($1.outputs) * Double($1.inputs) }
    let attention = stage == .attentionOutput ? Double(length) * Double(queryChannels) : 0
    return 2 * Double(tokens) * (products + attention)
  }

  /// The forward work that produces a stage's input: the linears of the stage before.
  func preceding(_ stage: BlockStage, ofBlock block: Int, tokens: Int, length: Int) -> Double {
    guard let previous = BlockStage(rawValue: stage.rawValue - 1) else { return 0 }
    return forward(previous, ofBlock: block, tokens: tokens, length: length)
  }

  /// What the inputs of some linears are added to: the Hessian, and with compensation what the two streams differ by.
  func accumulation(_ group: [LinearLayer], rows: Int) -> Double {
    let inputs = Double(group[0].inputs)
    let outputs = group.reduce(0) { $0 + Double($1.outputs) }
    let products = compensatesByOutputs(group) ? 2 * outputs : 2 * inputs
    return group[0].share * Double(rows) * inputs * (inputs + (compensates ? products : 0))
  }

  /// A Hessian alone, of inputs that nothing else is added up of.
  func gram(inputs: Int, tokens: Int) -> Double { Double(tokens) * Double(inputs) * Double(inputs) }

  func factorization(inputs: Int) -> Double { Double(inputs) * Double(inputs) * Double(inputs) / 3 }

  /// The recurrence, once for each kind of scales, the products of refinement; compensation and the choice of its rows.
  func solve(_ layer: LinearLayer) -> Double { solve(layer.name, layer.outputs, layer.inputs, compensates: compensates) }

  /// The output head, which isn't compensated.
  var solveHead: Double { solve(head.name, head.outputs, head.inputs, compensates: false) }

  private func solve(_ module: String, _ outputs: Int, _ inputs: Int, compensates: Bool) -> Double {
    guard let options = plan[module] else { return 0 }
    let weights = Double(outputs) * Double(inputs)
    guard options.method == .gptq else { return 64 * weights }
    let once = (options.searchesScales ? 2.0 : 1.0) + (options.refinesScales ? 3.0 : 0)
    guard compensates else { return once * weights * Double(inputs) }
    return (once + 2) * weights * Double(inputs) + HeldOutInputs.work(outputs: outputs, inputs: inputs)
  }

  private var compensates: Bool { plan.base.method == .gptq && plan.base.errorCompensation > 0 }

  private func compensatesByOutputs(_ group: [LinearLayer]) -> Bool {
    group.count == 1 && ErrorCompensation.Form(group[0]) == .outputs
  }

  /// One whole block.
  func forward(block: Int, tokens: Int, length: Int) -> Double {
    BlockStage.allCases.reduce(0) { $0 + forward($1, ofBlock: block, tokens: tokens, length: length) }
  }

  /// The first blocks.
  func forward(blocks: Range<Int>, tokens: Int, length: Int) -> Double {
    blocks.reduce(0) { $0 + forward(block: $1, tokens: tokens, length: length) }
  }

  /// Quantization of the whole model.
  ///
  /// - Parameter calibration: What it begins with; nil for methods without calibration.
  public func quantization(_ calibration: TokenSequences?) -> Double {
    let solving = groups.joined().reduce(0) { $0 + solve($1) } + (plan.quantizesHead ? solveHead : 0)
    guard let calibration else { return solving }
    let factoring = groups.reduce(0) { $0 + Double(plan.factorings(of: $1).count) * factorization(inputs: $1[0].inputs) }
    let samples = CalibrationSamples(calibration, holdsOut: compensates, division: SampleDivision(granule: 1))
    return solving + factoring + (plan.quantizesHead ? factorization(inputs: head.inputs) : 0)
      + Self.sum(samples, 0..<samples.count) { statistics($0, $1, $2, blocks: blocks.indices) }
      - (calibration.count > 0 ? Self.sum(samples, 0..<samples.count, lastDown) : 0)
  }

  /// What more sequences add to a job that is at a block, or at the head: their way there, and their part of what follows.
  func extending(_ samples: CalibrationSamples, by added: Range<Int>, from block: Int) -> Double {
    let work = Self.sum(samples, added) { use, tokens, length in
      streams * forward(blocks: 0..<block, tokens: tokens, length: length)
        + statistics(use, tokens, length, blocks: block..<blocks.count)
    }
    return block < blocks.count ? work - Self.sum(samples, added, lastDown) : work
  }

  private static func sum(
    _ samples: CalibrationSamples, _ range: Range<Int>, _ work: (CalibrationSamples.Use, _ tokens: Int, _ length: Int) -> Double
  ) -> Double {
    CalibrationSamples.Use.allCases.reduce(0) { $0 + work($1, samples.count(of: $1, in: range) * samples.length, samples.length) }
  }

  private var streams: Double { compensates ? 2 : 1 }

  /// The activations of some blocks, and what is summed over them and over the head's inputs.
  private func statistics(_ use: CalibrationSamples.Use, _ tokens: Int, _ length: Int, blocks range: Range<Int>) -> Double {
    let activations = streams * forward(blocks: range, tokens: tokens, length: length)
    guard use != .heldOut else { return activations }
    let sums = range.reduce(0.0) { sum, block in
      BlockStage.allCases.flatMap { groups(block, $0) }.reduce(sum) { $0 + accumulation($1, rows: tokens) }
    }
    return activations + sums + (plan.quantizesHead ? gram(inputs: head.inputs, tokens: tokens) : 0)
  }

  /// What `statistics` counts of a last block that nobody needs.
  private func lastDown(_ use: CalibrationSamples.Use, _ tokens: Int, _ length: Int) -> Double {
    let last = blocks.count - 1
    let isComputed = compensates && groups(last, .mlpOutput).contains(where: compensatesByOutputs)
    let unused = (compensates && !isComputed ? 1.0 : 0) + (plan.quantizesHead ? 0 : 1)
    return unused * forward(.mlpOutput, ofBlock: last, tokens: tokens, length: length)
  }

  /// One measurement of perplexity.
  public func perplexity(_ sequences: TokenSequences) -> Double {
    forward(blocks: blocks.indices, tokens: sequences.tokens.count, length: sequences.length)
      + outputHead(tokens: sequences.tokens.count)
  }

  func outputHead(tokens: Int) -> Double { 2 * Double(tokens) * Double(head.outputs) * Double(head.inputs) }
}
