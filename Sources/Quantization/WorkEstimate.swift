import Transformer

/// Floating-point operations that parts of a job take at least; the measure of progress.
public struct WorkEstimate: Sendable, Hashable {
  private let configuration: ModelConfiguration.Shape
  private let method: QuantizationOptions.Method

  public init(_ configuration: ModelConfiguration, method: QuantizationOptions.Method) {
    self.configuration = configuration.shape
    self.method = method
  }

  /// The linears of a stage, and for the attention output the attention before it.
  func forward(_ stage: BlockStage, tokens: Int, length: Int) -> Double {
    var flops = configuration.layers(of: stage).reduce(0) { $0 + 2 * Double(tokens) * Double($1.outputs) * Double($1.inputs) }
    if stage == .attentionOutput { flops += 2 * Double(tokens) * Double(length) * Double(configuration.queryChannels) }
    return flops
  }

  func hessian(_ stage: BlockStage, tokens: Int) -> Double {
    let inputs = Double(configuration.layers(of: stage)[0].inputs)
    return Double(tokens) * inputs * inputs
  }

  func factorization(_ stage: BlockStage) -> Double {
    let inputs = Double(configuration.layers(of: stage)[0].inputs)
    return inputs * inputs * inputs / 3
  }

  func solve(outputs: Int, inputs: Int) -> Double {
    let weights = Double(outputs) * Double(inputs)
    return method == .rtn ? 64 * weights : 1.5 * weights * Double(inputs)
  }

  /// One whole block.
  func forward(tokens: Int, length: Int) -> Double {
    BlockStage.allCases.reduce(0) { $0 + forward($1, tokens: tokens, length: length) }
  }

  /// Quantization of the whole model; nil sequences for methods without calibration.
  public func quantization(_ calibration: TokenSequences?) -> Double {
    let block = BlockStage.allCases.reduce(0.0) { sum, stage in
      let solving = configuration.layers(of: stage).reduce(0) { $0 + solve(outputs: $1.outputs, inputs: $1.inputs) }
      guard let calibration else { return sum + solving }
      let tokens = calibration.tokens.count
      return sum + solving + factorization(stage) + hessian(stage, tokens: tokens)
        + forward(stage, tokens: tokens, length: calibration.length)
    }
    return Double(configuration.blockCount) * block
  }

  /// One measurement of perplexity.
  public func perplexity(_ sequences: TokenSequences) -> Double {
    Double(configuration.blockCount) * forward(tokens: sequences.tokens.count, length: sequences.length)
      + outputHead(tokens: sequences.tokens.count)
  }

  func outputHead(tokens: Int) -> Double {
    2 * Double(tokens) * Double(configuration.hiddenSize) * Double(configuration.vocabularySize)
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
