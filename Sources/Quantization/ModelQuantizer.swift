import Checkpoint
import Foundation
import LinearAlgebra
import Transformer

/// Quantizes a checkpoint block by block; one block's weights are in memory at a time.
public struct ModelQuantizer: Sendable {
  public let checkpoint: CheckpointFolder
  public let configuration: ModelConfiguration
  public let options: QuantizationOptions
  /// Bytes that may be resident; nil: as many as it takes.
  public let memoryLimit: Int?

  /// Opens a checkpoint in Hugging Face layout and checks that it can be quantized as asked, from its headers alone.
  ///
  /// - Throws: `ModelError`, `CheckpointError`, `QuantizationError`.
  public init(model folder: URL, options: QuantizationOptions, memoryLimit: Int? = nil) throws {
    configuration = try ModelConfiguration(folder: folder)
    checkpoint = try CheckpointFolder(folder)
    self.options = options
    self.memoryLimit = memoryLimit
    for layer in configuration.linears {
      try checkpoint.requireShape([layer.outputs, layer.inputs], of: layer.weight)
      if configuration.biased.contains(layer.role) { try checkpoint.requireShape([layer.outputs], of: layer.bias) }
      try options.check(layer: layer.name, outputs: layer.outputs, inputs: layer.inputs)
    }
    _ = try CausalLanguageModel(configuration, from: checkpoint)
  }

  /// What became of a model.
  public struct Result: Sendable {
    /// In the order of computation.
    public let outcomes: [LayerOutcome]
    /// Calibration sequences in use at the end, those that were dropped included; 0 for methods without calibration.
    public let samples: Int
    public let dropped: [NonFiniteActivation]
    /// Largest magnitude of each operation of each block.
    public let peaks: [[ActivationOperation: Float]]
  }

  /// Quantizes every block that isn't in `blocks` yet, and writes its packed linears there.
  ///
  /// - Parameters:
  ///   - calibration: Needed by method `gptq`.
  ///   - recovery: What is done about layers that can't be quantized as asked.
  ///   - source: Fingerprint of the model and of what was asked for; blocks that were made from another are made again.
  ///   - scratch: Folder for hidden states.
  public func run(
    calibration: CalibrationData?, recovery: RecoveryPolicy, blocks: BlockFiles, source: String, scratch: URL,
    observer: some QuantizationObserver
  ) throws -> Result {
    try requireFiniteWeights(observer)
    var states = Array(blocks.finished(source: source).prefix(configuration.blockCount))
    switch options.method {
    case .gptq:
      try quantize(on: calibration, recovery, blocks: blocks, source: source, scratch: scratch, observer: observer, states: &states)
    case .rtn:
      try round(blocks: blocks, source: source, observer: observer, states: &states)
    }
    return Result(
      outcomes: states.flatMap(\.outcomes), samples: states.last?.samples ?? 0, dropped: states.last?.dropped ?? [],
      peaks: states.map(\.peaks))
  }

  /// NaN in a weight would go into every activation behind it.
  private func requireFiniteWeights(_ observer: some QuantizationObserver) throws {
    for name in checkpoint.tensorNames {
      try observer.checkCancellation()
      if let index = try checkpoint.firstNonFinite(name) { throw QuantizationError.nonFiniteWeight(tensor: name, index: index) }
      checkpoint.releaseCachedPages(of: name)
    }
  }

  private func quantize<Observer: QuantizationObserver>(
    on calibration: CalibrationData?, _ recovery: RecoveryPolicy, blocks: BlockFiles, source: String, scratch: URL, observer: Observer,
    states: inout [BlockFiles.State]
  ) throws {
    guard let calibration else { throw DatasetError.empty(file: "calibration") }
    guard states.count < configuration.blockCount else { return }
    let finished = FinishedBlocks(
      checkpoint: checkpoint, configuration: configuration, format: options.format, files: blocks, states: states)
    let run = try CalibrationRun(
      self, data: calibration, recovery: recovery, finishedBlocks: finished, scratch: scratch, observer: observer)
    try run.begin()
    let solver = LayerSolver(options: options, recovery: recovery, observer: observer)
    for index in states.count..<configuration.blockCount {
      let block = try DecoderBlock(index, of: configuration, from: checkpoint, length: calibration.length)
      releaseBlock(index)
      var quantizer = BlockQuantizer(block, run: run, solver: solver)
      let (results, peaks) = try quantizer.quantize()
      let state = run.state(source: source, results: results, peaks: peaks)
      try blocks.write(results, state, block: index)
      states.append(state)
    }
  }

  private func round(
    blocks: BlockFiles, source: String, observer: some QuantizationObserver, states: inout [BlockFiles.State]
  ) throws {
    let work = WorkEstimate(configuration, options: options)
    try observer.beganCountedWork()
    for index in states.count..<configuration.blockCount {
      let results = try configuration.linears(ofBlock: index).map { linear in
        try observer.checkCancellation()
        let layer = LayerIdentity(linear)
        try observer.began(layer)
        let start = ContinuousClock.now
        let weight = try checkpoint.matrix(linear.weight, rows: linear.outputs, columns: linear.inputs)
        let packed = PackedLayer(try roundToNearest(weight, options: options, layer: layer.name), format: options.format)
        let outcome = LayerOutcome(layer: layer, method: .rtn, seconds: (ContinuousClock.now - start) / .seconds(1))
        try observer.finished(outcome)
        try observer.did(work.solve(outputs: linear.outputs, inputs: linear.inputs))
        return LayerResult(outcome: outcome, packed: packed)
      }
      let state = BlockFiles.State(source: source, outcomes: results.map(\.outcome), samples: 0, dropped: [], peaks: [:])
      try blocks.write(results, state, block: index)
      states.append(state)
      releaseBlock(index)
    }
  }

  /// Lets go of the pages that a block's weights were read from.
  private func releaseBlock(_ index: Int) {
    for layer in configuration.linears(ofBlock: index) { checkpoint.releaseCachedPages(of: layer.weight) }
  }
}
