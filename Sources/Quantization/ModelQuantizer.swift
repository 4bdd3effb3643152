import Checkpoint
import Foundation
import LinearAlgebra
import Transformer

/// Quantizes a checkpoint block by block; one block's weights are in memory at a time.
public struct ModelQuantizer: Sendable {
  public let checkpoint: CheckpointFolder
  public let configuration: ModelConfiguration
  public let options: QuantizationOptions

  /// Opens a checkpoint in Hugging Face layout and checks that it can be quantized as asked, from its headers alone.
  ///
  /// - Throws: `ModelError`, `CheckpointError`, `QuantizationError`.
  public init(model folder: URL, options: QuantizationOptions) throws {
    configuration = try ModelConfiguration(folder: folder)
    checkpoint = try CheckpointFolder(folder)
    self.options = options
    for layer in configuration.linears {
      try checkpoint.requireShape([layer.outputs, layer.inputs], of: layer.weight)
      if configuration.architecture.biased.contains(layer.role) { try checkpoint.requireShape([layer.outputs], of: layer.bias) }
      try options.check(layer: layer.name, outputs: layer.outputs, inputs: layer.inputs)
    }
    _ = try CausalLanguageModel(configuration, from: checkpoint)
  }

  /// Quantizes every block and writes its packed linears to `blocks`.
  ///
  /// - Parameters:
  ///   - calibration: Needed by method `gptq`.
  ///   - scratch: Folder for hidden states.
  ///   - report: Told the floating-point operations of each piece of work when it is done.
  /// - Returns: What became of each layer.
  public func run(
    calibration: TokenSequences?, blocks: BlockFiles, scratch: URL, observer: some QuantizationObserver,
    report: @escaping (_ flops: Double) throws -> Void
  ) throws -> [LayerOutcome] {
    try requireFiniteWeights(observer)
    let results =
      switch options.method {
      case .gptq:
        try quantize(on: calibration, blocks: blocks, scratch: scratch, observer: observer, report: report)
      case .rtn:
        try round(blocks: blocks, observer: observer, report: report)
      }
    return results
  }

  /// NaN in a weight would go into every activation behind it.
  private func requireFiniteWeights(_ observer: some QuantizationObserver) throws {
    for name in checkpoint.tensorNames {
      try observer.checkCancellation()
      if let index = try checkpoint.firstNonFinite(name) { throw QuantizationError.nonFiniteWeight(tensor: name, index: index) }
      checkpoint.releaseCachedPages(of: name)
    }
  }

  private func quantize(
    on calibration: TokenSequences?, blocks: BlockFiles, scratch: URL, observer: some QuantizationObserver,
    report: @escaping (Double) throws -> Void
  ) throws -> [LayerOutcome] {
    guard let calibration else { throw DatasetError.empty(file: "calibration") }
    let model = try CausalLanguageModel(configuration, from: checkpoint)
    let batches = SequenceBatches(calibration)
    let hidden = try ActivationSpool(in: scratch, rows: calibration.tokens.count, columns: configuration.hiddenSize)
    try batches.embed(with: model, into: hidden)
    let quantizer = BlockQuantizer(
      configuration: configuration, options: options, batches: batches, hidden: hidden, scratch: scratch, observer: observer,
      work: WorkEstimate(configuration, method: options.method), report: report)
    var outcomes: [LayerOutcome] = []
    for index in 0..<configuration.blockCount {
      var block = try DecoderBlock(index, of: configuration, from: checkpoint, length: calibration.length)
      let results = try quantizer.run(&block)
      try blocks.write(results, block: index)
      outcomes += results.map(\.outcome)
      releaseBlock(index)
    }
    return outcomes
  }

  private func round(
    blocks: BlockFiles, observer: some QuantizationObserver, report: (Double) throws -> Void
  ) throws -> [LayerOutcome] {
    let clock = ContinuousClock()
    let work = WorkEstimate(configuration, method: .rtn)
    var outcomes: [LayerOutcome] = []
    for index in 0..<configuration.blockCount {
      var results: [LayerQuantizationResult] = []
      for layer in configuration.linears(ofBlock: index) {
        try observer.checkCancellation()
        try observer.began(layer)
        let start = clock.now
        let weight = try checkpoint.matrix(layer.weight, rows: layer.outputs, columns: layer.inputs)
        let packed = PackedLayer(try roundToNearest(weight, options: options, layer: layer.name), format: options.format)
        let outcome = LayerOutcome(
          layer: layer, method: .rtn, damping: nil, attempts: [], loss: nil, relativeLoss: nil, samples: 0, tokens: 0, deadColumns: 0,
          seconds: (clock.now - start) / .seconds(1))
        try observer.finished(outcome)
        try report(work.solve(outputs: layer.outputs, inputs: layer.inputs))
        results.append(LayerQuantizationResult(outcome: outcome, packed: packed))
      }
      try blocks.write(results, block: index)
      outcomes += results.map(\.outcome)
      releaseBlock(index)
    }
    return outcomes
  }

  private func releaseBlock(_ index: Int) {
    for layer in configuration.linears(ofBlock: index) { checkpoint.releaseCachedPages(of: layer.weight) }
  }
}
