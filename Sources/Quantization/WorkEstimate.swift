import Transformer

/// Floating-point operations that parts of a job take at least; the measure of progress.
public struct WorkEstimate: Sendable, Hashable {
  private let shape: ModelConfiguration.Shape
  private let options: QuantizationOptions

  public init(_ configuration: ModelConfiguration, options: QuantizationOptions) {
    shape = configuration.shape
    self.options = options
  }

  /// The linears of a stage, and for the attention output the attention before it.
  func forward(_ stage: BlockStage, tokens: Int, length: Int) -> Double {
    var flops = shape.layers(of: stage).reduce(0) { $0 + 2 * Double(tokens) * Double($1.outputs) * Double($1.inputs) }
    if stage == .attentionOutput { flops += 2 * Double(tokens) * Double(length) * Double(shape.queryChannels) }
    return flops
  }

  /// The forward work that produces a stage's input: the linears of the stage before.
  func preceding(_ stage: BlockStage, tokens: Int, length: Int) -> Double {
    guard let previous = BlockStage(rawValue: stage.rawValue - 1) else { return 0 }
    return forward(previous, tokens: tokens, length: length)
  }

  /// What a stage's inputs are added to: the Hessian, and with compensation what the two streams differ by.
  func accumulation(_ stage: BlockStage, rows: Int) -> Double {
    let inputs = Double(shape.layers(of: stage)[0].inputs)
    let outputs = shape.layers(of: stage).reduce(0) { $0 + Double($1.outputs) }
    let products = shape.compensatesByOutputs(stage) ? 2 * outputs : 2 * inputs
    return Double(rows) * inputs * (inputs + (compensates ? products : 0))
  }

  func factorization(_ stage: BlockStage) -> Double {
    let inputs = Double(shape.layers(of: stage)[0].inputs)
    return inputs * inputs * inputs / 3
  }

  /// Compensation and the choice of its rows, the recurrence, once for each kind of scales, the products of refinement.
  func solve(outputs: Int, inputs: Int) -> Double {
    let weights = Double(outputs) * Double(inputs)
    guard options.method == .gptq else { return 64 * weights }
    let once = (options.searchesScales ? 2.0 : 1.0) + (options.refinesScales ? 3.0 : 0)
    guard compensates else { return once * weights * Double(inputs) }
    return (once + 2) * weights * Double(inputs) + HeldOutInputs.work(outputs: outputs, inputs: inputs)
  }

  private var compensates: Bool { options.method == .gptq && options.errorCompensation > 0 }

  /// One whole block.
  func forward(tokens: Int, length: Int) -> Double {
    BlockStage.allCases.reduce(0) { $0 + forward($1, tokens: tokens, length: length) }
  }

  /// Quantization of the whole model.
  ///
  /// - Parameter calibration: What it begins with; nil for methods without calibration.
  public func quantization(_ calibration: TokenSequences?) -> Double {
    let solving = BlockStage.allCases.reduce(0.0) { sum, stage in
      let layers = shape.layers(of: stage).reduce(0) { $0 + solve(outputs: $1.outputs, inputs: $1.inputs) }
      return sum + layers + (calibration == nil ? 0 : factorization(stage))
    }
    guard let calibration else { return Double(shape.blockCount) * solving }
    let samples = CalibrationSamples(calibration, holdsOut: compensates)
    return Double(shape.blockCount) * (solving + Self.sum(samples, 0..<samples.count, statistics))
      - (calibration.count > 0 ? Self.sum(samples, 0..<samples.count, lastDown) : 0)
  }

  /// What more sequences add to a job that is at a block: their way there, and their part of this block and those that follow.
  func extending(_ samples: CalibrationSamples, by added: Range<Int>, from block: Int) -> Double {
    Self.sum(samples, added) { use, tokens, length in
      Double(block) * streams * forward(tokens: tokens, length: length)
        + Double(shape.blockCount - block) * statistics(use, tokens, length)
    } - Self.sum(samples, added, lastDown)
  }

  private static func sum(
    _ samples: CalibrationSamples, _ range: Range<Int>, _ work: (CalibrationSamples.Use, _ tokens: Int, _ length: Int) -> Double
  ) -> Double {
    CalibrationSamples.Use.allCases.reduce(0) { $0 + work($1, samples.count(of: $1, in: range) * samples.length, samples.length) }
  }

  private var streams: Double { compensates ? 2 : 1 }

  /// A block's activations, and what is summed over them.
  private func statistics(_ use: CalibrationSamples.Use, _ tokens: Int, _ length: Int) -> Double {
    let sums = BlockStage.allCases.reduce(0) { $0 + accumulation($1, rows: tokens) }
    return streams * forward(tokens: tokens, length: length) + (use == .heldOut ? 0 : sums)
  }

  /// What `statistics` counts of a last block that nobody needs.
  private func lastDown(_ use: CalibrationSamples.Use, _ tokens: Int, _ length: Int) -> Double {
    (compensates && !shape.compensatesByOutputs(.mlpOutput) ? 2 : 1) * forward(.mlpOutput, tokens: tokens, length: length)
  }

  /// One measurement of perplexity.
  public func perplexity(_ sequences: TokenSequences) -> Double {
    Double(shape.blockCount) * forward(tokens: sequences.tokens.count, length: sequences.length)
      + outputHead(tokens: sequences.tokens.count)
  }

  func outputHead(tokens: Int) -> Double {
    2 * Double(tokens) * Double(shape.hiddenSize) * Double(shape.vocabularySize)
  }
}

extension ModelConfiguration {
  /// The sizes that work depends on.
  fileprivate var shape: Shape {
    Shape(
      blockCount: blockCount, hiddenSize: hiddenSize, vocabularySize: vocabularySize, queryChannels: queryChannels,
      linears: linears(ofBlock: 0),
      compensatedByOutputs: Set(BlockStage.allCases.filter { ErrorCompensation.Form($0, of: self) == .outputs }))
  }

  struct Shape: Sendable, Hashable {
    let blockCount: Int
    let hiddenSize: Int
    let vocabularySize: Int
    let queryChannels: Int
    let linears: [LinearLayer]
    let compensatedByOutputs: Set<BlockStage>

    func compensatesByOutputs(_ stage: BlockStage) -> Bool { compensatedByOutputs.contains(stage) }
    func layers(of stage: BlockStage) -> [LinearLayer] { linears.filter { $0.stage == stage } }
  }
}
