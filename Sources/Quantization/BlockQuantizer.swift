import Foundation
import LinearAlgebra
import Transformer

/// Quantizes the linears of one decoder block stage by stage, each on the inputs that the quantized stages before it produce.
///
/// So every activation is computed once (ARCHITECTURE, "The engine's order of work").
struct BlockQuantizer<Observer: QuantizationObserver> {
  let configuration: ModelConfiguration
  let options: QuantizationOptions
  let batches: SequenceBatches
  /// Hidden states before the block; after it when `run` returns.
  let hidden: ActivationSpool
  let scratch: URL
  let observer: Observer
  let work: WorkEstimate
  let report: (_ flops: Double) throws -> Void
  /// Inner activations of the MLP are computed twice instead of stored beyond this many bytes.
  private static var innerActivationLimit: Int { 2 << 30 }

  private var length: Int { batches.sequences.length }

  /// - Returns: The block's linears in the order of computation.
  func run(_ block: inout DecoderBlock) throws -> [LayerQuantizationResult] {
    let layers = configuration.linears(ofBlock: block.index)
    let queryChannels = configuration.attentionHeads * configuration.headSize
    let tokens = batches.sequences.tokens.count
    var results: [LayerQuantizationResult] = []

    try results += quantize(.attentionInput, of: &block, layers) { block, rows in block.attentionInput(hidden.read(rows)) }

    let attended = try ActivationSpool(in: scratch, rows: tokens, columns: queryChannels)
    try results += quantize(.attentionOutput, of: &block, layers) { block, rows in
      let output = block.attentionOutput(block.attentionInput(hidden.read(rows)))
      attended.write(output, at: rows.lowerBound)
      return output
    }

    try results += quantize(.mlpInput, of: &block, layers) { block, rows in
      var states = hidden.read(rows)
      block.addAttention(attended.read(rows), to: &states)
      hidden.write(states, at: rows.lowerBound)
      return block.mlpInput(states)
    }

    let inner = try innerSpool(tokens: tokens)
    try results += quantize(.mlpOutput, of: &block, layers) { block, rows in
      let output = block.mlpOutput(block.mlpInput(hidden.read(rows)))
      inner?.write(output, at: rows.lowerBound)
      return output
    }

    for rows in batches.rows {
      try observer.checkCancellation()
      var states = hidden.read(rows)
      block.addMLP(inner?.read(rows) ?? block.mlpOutput(block.mlpInput(states)), to: &states)
      hidden.write(states, at: rows.lowerBound)
    }
    try report(work.forward(.mlpOutput, tokens: tokens, length: length))
    return results
  }

  private func innerSpool(tokens: Int) throws -> ActivationSpool? {
    let bytes = tokens * configuration.intermediateSize * MemoryLayout<Float>.stride
    guard bytes <= Self.innerActivationLimit else { return nil }
    return try ActivationSpool(in: scratch, rows: tokens, columns: configuration.intermediateSize)
  }

  /// Feeds every sequence's input of a stage into its Hessian, then quantizes the stage's linears.
  private func quantize(
    _ stage: BlockStage, of block: inout DecoderBlock, _ layers: [LinearLayer],
    input: (_ block: DecoderBlock, _ rows: Range<Int>) throws -> Matrix<Float>
  ) throws -> [LayerQuantizationResult] {
    let layers = layers.filter { $0.stage == stage }
    var accumulator = HessianAccumulator(columns: layers[0].inputs)
    for rows in batches.rows {
      try observer.checkCancellation()
      do {
        try accumulator.add(input(block, rows))
      } catch let error as HessianAccumulator.NonFiniteInput {
        let token = rows.lowerBound + error.token
        throw QuantizationError.nonFiniteInput(
          layer: layers[0].name, sample: token / length, token: token % length, channel: error.channel)
      }
      try report(work.hessian(stage, tokens: rows.count) + precedingForward(stage, tokens: rows.count))
    }
    return try solve(layers, of: &block, hessian: accumulator.hessian(), tokens: accumulator.tokens)
  }

  /// The forward work that produced a stage's input: the linears of the stage before.
  private func precedingForward(_ stage: BlockStage, tokens: Int) -> Double {
    guard let previous = BlockStage(rawValue: stage.rawValue - 1) else { return 0 }
    return work.forward(previous, tokens: tokens, length: length)
  }

  private func solve(
    _ layers: [LinearLayer], of block: inout DecoderBlock, hessian: Matrix<Double>, tokens: Int
  ) throws -> [LayerQuantizationResult] {
    let clock = ContinuousClock()
    var start = clock.now
    try observer.began(layers[0])
    let damped = try factor(hessian, for: layers, tokens: tokens)
    try report(work.factorization(layers[0].stage))
    var results: [LayerQuantizationResult] = []
    for layer in layers {
      try observer.checkCancellation()
      if layer != layers[0] { try observer.began(layer) }
      let quantized = try damped.quantize(block[layer.role].weight, options: options, layer: layer.name)
      block.replaceWeight(of: layer.role, with: quantized.layer.dequantized())
      let packed = PackedLayer(quantized.layer, format: options.format)
      let end = clock.now
      try record(damped.attempts, for: layer, tokens: tokens, loss: quantized.loss)
      let outcome = LayerOutcome(
        layer: layer, method: .gptq, damping: damped.damping, attempts: damped.attempts, loss: quantized.loss,
        relativeLoss: quantized.relativeLoss, samples: batches.sequences.count, tokens: tokens, deadColumns: damped.deadColumns.count,
        seconds: (end - start) / .seconds(1))
      start = end
      try observer.finished(outcome)
      try report(work.solve(outputs: layer.outputs, inputs: layer.inputs))
      results.append(LayerQuantizationResult(outcome: outcome, packed: packed))
    }
    return results
  }

  private func factor(_ hessian: Matrix<Double>, for layers: [LinearLayer], tokens: Int) throws -> DampedHessian {
    let ladder = DampingLadder(startingAt: options.damping)
    do {
      return try DampedHessian(hessian, options: options, ladder: ladder)
    } catch {
      for layer in layers { try record(error.attempts, for: layer, tokens: tokens, loss: nil) }
      throw QuantizationError.notPositiveDefinite(
        layer: layers[0].name, order: error.attempts.last?.info ?? 0, tokens: tokens, columns: layers[0].inputs,
        largestDamping: ladder.steps.last ?? options.damping)
    }
  }

  private func record(_ attempts: [Attempt], for layer: LinearLayer, tokens: Int, loss: Double?) throws {
    for attempt in attempts {
      try observer.tried(
        attempt, for: layer, samples: batches.sequences.count, tokens: tokens, loss: attempt.succeeded ? loss : nil)
    }
  }
}

/// A quantized linear of a block, ready to be written.
struct LayerQuantizationResult: Sendable {
  let outcome: LayerOutcome
  let packed: PackedLayer
}
