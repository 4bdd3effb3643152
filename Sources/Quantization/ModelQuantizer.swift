import Checkpoint
import Foundation
import LinearAlgebra
import Ranks
import Transformer

/// Quantizes a checkpoint block by block, and its output head if asked; one block's weights are in memory at a time.
public struct ModelQuantizer: Sendable {
  public let checkpoint: CheckpointFolder
  public let configuration: ModelConfiguration
  public let plan: QuantizationPlan
  /// What a job handles, in the order of computation: the linears of all blocks, and the output head where it is asked for.
  public let layers: [LayerIdentity]
  /// Bytes that may be resident; nil: as many as it takes.
  public let memoryLimit: Int?
  /// The processes that do the job together: each runs the same on the same files.
  public let ranks: any RankGroup
  /// Least time between two copies of the hidden states on disk; zero: after each block, whatever it costs.
  package var keepsHiddenStatesEvery = Duration.seconds(30)

  /// Opens a checkpoint in Hugging Face layout and checks that it can be quantized as asked, from its headers alone.
  ///
  /// - Parameters:
  ///   - rules: For single modules.
  ///   - quantizesHead: The output head is quantized too.
  ///   - ranks: The processes that do the job together; each needs the same arguments.
  /// - Throws: `ModelError`, `CheckpointError`, `QuantizationError`.
  public init(
    model folder: URL, options: QuantizationOptions, rules: [ModuleRule] = [], quantizesHead: Bool = false, memoryLimit: Int? = nil,
    ranks: any RankGroup = SoloRank()
  ) throws {
    configuration = try ModelConfiguration(folder: folder)
    if quantizesHead, configuration.tiesEmbeddings { throw QuantizationError.tiedHead }
    checkpoint = try configuration.separatingExperts(of: CheckpointFolder(folder))
    self.memoryLimit = memoryLimit
    self.ranks = ranks
    if ranks.count > 1, configuration.experts != nil {
      throw QuantizationError.needsOneRank(what: "a model with experts", ranks: ranks.count)
    }
    guard configuration.linearCount <= checkpoint.tensorNames.count else {
      throw ModelError.tooFewTensors(linears: configuration.linearCount, tensors: checkpoint.tensorNames.count)
    }
    let linears = configuration.linears
    let head = LayerIdentity(outputHeadOf: configuration)
    plan = try QuantizationPlan(
      options, rules: rules, modules: linears.map(\.name) + (quantizesHead ? [head.name] : []), head: quantizesHead ? head.name : nil)
    layers = linears.map { LayerIdentity($0) } + (plan.quantizesHead ? [head] : [])
    for layer in linears {
      try checkpoint.requireShape([layer.outputs, layer.inputs], of: layer.weight)
      if layer.hasBias { try checkpoint.requireShape([layer.outputs], of: layer.bias) }
    }
    for layer in layers { try plan[layer.name]?.check(layer: layer.name, outputs: layer.outputs, inputs: layer.inputs) }
    _ = try CausalLanguageModel(configuration, from: checkpoint)
  }

  /// Blocks, and the output head where it is quantized: each is one file when it is done.
  var stepCount: Int { configuration.blockCount + (plan.quantizesHead ? 1 : 0) }

  /// What became of a model.
  public struct Result: Sendable {
    /// In the order of computation.
    public let outcomes: [LayerOutcome]
    /// Calibration sequences in use at the end, those that were dropped included; 0 for methods without calibration.
    public let samples: Int
    public let dropped: [NonFiniteActivation]
    /// Largest magnitude of each operation of each block.
    public let peaks: [[ActivationOperation: Float]]
    /// What the owner was told, earlier runs included, each once.
    public let warnings: [String]
  }

  /// Quantizes every block that isn't in `blocks` yet, and writes its packed linears there.
  ///
  /// The bytes don't depend on the number of ranks. All have the same folder of blocks, to which rank 0 writes. Where one fails, the
  /// others throw the same, or `RankError.abandoned`.
  ///
  /// - Parameters:
  ///   - calibration: Needed by method `gptq`.
  ///   - recovery: What is done about layers that can't be quantized as asked.
  ///   - source: What blocks are made from; those that were made from another are made again.
  ///   - scratch: Folder for hidden states; each rank may have one of its own.
  ///   - observer: Told the same on each rank, so that all but rank 0's should be silent. What is known of cures is asked of rank 0's.
  /// - Throws: `QuantizationError`, `CheckpointError`, `RankError`, and what the observer throws.
  public func run(
    calibration: CalibrationData?, recovery: RecoveryPolicy, blocks: BlockFiles, source: BlockSource, scratch: URL,
    observer: some QuantizationObserver
  ) throws -> Result {
    try ranks.together {
      try RankAgreement(checkpoint: checkpoint, calibration: calibration, source: source).check(among: ranks)
      return try quantize(
        calibration: calibration, recovery: recovery, blocks: blocks, source: source, scratch: scratch, observer: observer)
    }
  }

  private func quantize(
    calibration: CalibrationData?, recovery: RecoveryPolicy, blocks: BlockFiles, source: BlockSource, scratch: URL,
    observer: some QuantizationObserver
  ) throws -> Result {
    try requireFiniteWeights(observer)
    let observer = WarningRecorder(observer)
    var states = try ranks.agreed {
      let states = Array(try blocks.survey(source: source).states.prefix(stepCount))
      blocks.discard(from: states.count)
      return states
    }
    switch plan.base.method {
    case .gptq:
      try quantize(on: calibration, recovery, blocks: blocks, source: source, scratch: scratch, observer: observer, states: &states)
    case .rtn:
      try round(blocks: blocks, source: source, observer: observer, states: &states)
    }
    var told: Set<String> = []
    return Result(
      outcomes: states.flatMap(\.outcomes), samples: states.last?.lots.last ?? 0, dropped: states.last?.dropped ?? [],
      peaks: states.prefix(configuration.blockCount).map(\.peaks),
      warnings: states.flatMap(\.warnings).filter { told.insert($0).inserted })
  }

  /// NaN in a weight would go into every activation behind it. Each rank looks at some of the tensors.
  private func requireFiniteWeights(_ observer: some QuantizationObserver) throws {
    let names = checkpoint.tensorNames
    var found: [(tensor: Int, element: Int)] = []
    for tensor in stride(from: ranks.rank, to: names.count, by: ranks.count) where found.isEmpty {
      try observer.checkCancellation()
      if let element = try checkpoint.firstNonFinite(names[tensor]) { found.append((tensor, element)) }
      checkpoint.releaseCachedPages(of: names[tensor])
    }
    let all = try ranks.gather(found.map { [$0.tensor, $0.element] }).joined()
    guard let first = all.min(by: { $0[0] < $1[0] }) else { return }
    throw QuantizationError.nonFiniteWeight(tensor: names[first[0]], index: first[1])
  }

  /// Rank 0 writes; the others go on when it has.
  private func write(_ results: [LayerResult], _ state: BlockFiles.State, block: Int, to blocks: BlockFiles) throws {
    if ranks.rank == 0 { try blocks.write(results, state, block: block) }
    try ranks.meet()
  }

  private func quantize(
    on calibration: CalibrationData?, _ recovery: RecoveryPolicy, blocks: BlockFiles, source: BlockSource, scratch: URL,
    observer: WarningRecorder<some QuantizationObserver>, states: inout [BlockFiles.State]
  ) throws {
    guard let calibration else { throw DatasetError.empty(file: "calibration") }
    guard states.count < stepCount else { return }
    let finished = FinishedBlocks(
      checkpoint: checkpoint, configuration: configuration, format: plan.base.format, files: blocks, states: states)
    let run = try CalibrationRun(
      self, data: calibration, recovery: recovery, finishedBlocks: finished, source: source, scratch: scratch, observer: observer)
    try run.begin()
    let solver = LayerSolver(plan: plan, recovery: recovery, observer: observer, ranks: ranks)
    for index in min(states.count, configuration.blockCount)..<configuration.blockCount {
      let block = try DecoderBlock(index, of: configuration, from: checkpoint, length: calibration.length)
      releaseBlock(index)
      var quantizer = BlockQuantizer(block, run: run, solver: solver)
      let (results, peaks) = try quantizer.quantize()
      let state = run.state(results, peaks: peaks, warnings: observer.takeWarnings())
      try run.keepHidden(after: index)
      try write(results, state, block: index, to: blocks)
      run.forgetHidden()
      states.append(state)
    }
    guard plan.quantizesHead else { return }
    let head = HeadQuantizer(LayerIdentity(outputHeadOf: configuration), checkpoint: checkpoint, run: run, solver: solver)
    let result = try head.quantize()
    let state = run.state([result], peaks: [:], warnings: observer.takeWarnings())
    try write([result], state, block: configuration.blockCount, to: blocks)
    states.append(state)
  }

  private func round(
    blocks: BlockFiles, source: BlockSource, observer: WarningRecorder<some QuantizationObserver>, states: inout [BlockFiles.State]
  ) throws {
    let work = WorkEstimate(configuration, plan: plan)
    let solver = LayerSolver(plan: plan, recovery: RecoveryPolicy(), observer: observer, ranks: ranks)
    try observer.beganCountedWork()
    func finish(_ results: [LayerResult]) throws {
      let state = BlockFiles.State(source: source, outcomes: results.map(\.outcome), warnings: observer.takeWarnings())
      try write(results, state, block: states.count, to: blocks)
      states.append(state)
    }
    while states.count < configuration.blockCount {
      let index = states.count
      try finish(
        try configuration.linears(ofBlock: index).map { linear in
          try observer.checkCancellation()
          let layer = LayerIdentity(linear)
          guard plan.quantizes(linear) else { return try solver.leaveAlone(layer) }
          try observer.began(layer)
          let start = ContinuousClock.now
          let weight = try checkpoint.matrix(linear.weight, rows: linear.outputs, columns: linear.inputs)
          defer { checkpoint.releaseCachedPages(of: linear.weight) }
          let result = try solver.quantize(whole: weight, of: layer, .rounding, start: start).result
          try observer.did(work.solve(linear))
          return result
        })
    }
    guard states.count < stepCount else { return }
    let head = LayerIdentity(outputHeadOf: configuration)
    try observer.began(head)
    try finish([try solver.quantizeRows(of: head, .rounding, from: checkpoint, start: .now, work: work.solveHead)])
  }

  /// Lets go of the pages that a block's weights were read from.
  private func releaseBlock(_ index: Int) {
    for layer in configuration.linears(ofBlock: index) { checkpoint.releaseCachedPages(of: layer.weight) }
  }
}
