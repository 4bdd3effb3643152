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

  /// What a stage's inputs are added to: the Hessian, and with compensation a product of the two streams.
  func accumulation(_ stage: BlockStage, rows: Int) -> Double {
    let inputs = Double(shape.layers(of: stage)[0].inputs)
    return Double(rows) * inputs * inputs * (compensates ? 3 : 1)
  }

  func factorization(_ stage: BlockStage) -> Double {
    let inputs = Double(shape.layers(of: stage)[0].inputs)
    return inputs * inputs * inputs / 3
  }

  /// The recurrence, once for each kind of scales and target, and the products of refinement.
  func solve(outputs: Int, inputs: Int) -> Double {
    let weights = Double(outputs) * Double(inputs)
    guard options.method == .gptq else { return 64 * weights }
    let once = (options.searchesScales ? 2.0 : 1.0) + (options.refinesScales ? 3.0 : 0)
    return (compensates ? 2 * once + 4 : once) * weights * Double(inputs)
  }

  private var compensates: Bool { options.method == .gptq && options.errorCompensation > 0 }
  private var streams: Double { compensates ? 2 : 1 }

  /// One whole block.
  func forward(tokens: Int, length: Int) -> Double {
    BlockStage.allCases.reduce(0) { $0 + forward($1, tokens: tokens, length: length) }
  }

  /// Quantization of the whole model.
  ///
  /// - Parameter calibration: What it begins with; nil for methods without calibration.
  public func quantization(_ calibration: TokenSequences?) -> Double {
    let block = BlockStage.allCases.reduce(0.0) { sum, stage in
      let solving = shape.layers(of: stage).reduce(0) { $0 + solve(outputs: $1.outputs, inputs: $1.inputs) }
      guard let calibration else { return sum + solving }
      let tokens = calibration.tokens.count
      let heldOut = compensates && calibration.count > 1 ? max(1, calibration.count / 10) * calibration.length : 0
      return sum + solving + factorization(stage) + accumulation(stage, rows: tokens - heldOut)
        + streams * preceding(stage, tokens: tokens, length: calibration.length)
        + (stage == .mlpOutput ? streams * forward(stage, tokens: tokens, length: calibration.length) : 0)
    }
    return Double(shape.blockCount) * block
  }

  /// What more sequences add to a job that is at a block: their way there, and their part of this block and those that follow.
  func extending(by tokens: Int, length: Int, from block: Int, streams: Double) -> Double {
    let remaining = BlockStage.allCases.reduce(0.0) {
      $0 + accumulation($1, rows: tokens) + streams * preceding($1, tokens: tokens, length: length)
    }
    return Double(block) * streams * forward(tokens: tokens, length: length) + Double(shape.blockCount - block) * remaining
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
      blockCount: blockCount, hiddenSize: hiddenSize, vocabularySize: vocabularySize, queryChannels: attentionHeads * headSize,
      linears: linears(ofBlock: 0))
  }

  struct Shape: Sendable, Hashable {
    let blockCount: Int
    let hiddenSize: Int
    let vocabularySize: Int
    let queryChannels: Int
    let linears: [LinearLayer]

    func layers(of stage: BlockStage) -> [LinearLayer] { linears.filter { $0.stage == stage } }
  }
}
