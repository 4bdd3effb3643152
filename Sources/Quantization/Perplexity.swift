import Foundation
import LinearAlgebra
import Ranks
import Transformer

/// How well a model predicts text: exp of the mean negative log likelihood of a token given those before it in its sequence.
public struct Perplexity: Sendable, Hashable, Codable {
  public let value: Double
  /// Predicted tokens: all but the first of each sequence.
  public let tokens: Int

  /// Hidden states of fewer bytes are kept in memory.
  private static let inMemory = 256 << 20

  /// Measures a model block by block, so that one block's weights are in memory at a time.
  ///
  /// - Parameters:
  ///   - scratch: Folder for the hidden states.
  ///   - ranks: The processes that measure together, each some of the sequences; all need the same arguments. The value has the same bits
  ///     with any number of them.
  ///   - checkCancellation: Called before each batch; throws to stop.
  ///   - report: Told the floating-point operations of each batch, those of all ranks, when it is done.
  /// - Throws: `ModelError`, `CheckpointError`, `RankError`, and what the closures throw.
  public init(
    of configuration: ModelConfiguration, weights: some TensorSource, on sequences: TokenSequences, scratch: URL,
    ranks: any RankGroup = SoloRank(), checkCancellation: () throws -> Void, report: (_ flops: Double) throws -> Void
  ) throws {
    let model = try CausalLanguageModel(configuration, from: weights)
    let evaluation = SharedEvaluation(sequences, TokenSlices(length: sequences.length, widest: configuration.intermediateSize), ranks)
    let work = WorkEstimate(configuration, plan: QuantizationPlan(QuantizationOptions(method: .rtn)))
    let sum = try ranks.together {
      let rows = evaluation.rowCount
      let bytes = ActivationSpool.byteCount(rows: rows, columns: configuration.hiddenSize)
      let hidden = try ActivationSpool(in: bytes <= Self.inMemory ? nil : scratch, rows: rows, columns: configuration.hiddenSize)
      for pass in evaluation.passes { try model.embed(evaluation.tokens(of: pass), into: hidden[pass.rows]) }
      for index in 0..<configuration.blockCount {
        let block = try DecoderBlock(index, of: configuration, from: weights, length: sequences.length)
        for pass in evaluation.passes {
          try checkCancellation()
          block.forward(hidden[pass.rows])
          hidden.release(pass.rows)
          try report(work.forward(block: index, tokens: pass.tokens, length: sequences.length))
        }
      }
      var sums: [Double] = []
      for pass in evaluation.passes {
        try checkCancellation()
        let states = model.normalize(hidden[pass.rows].readOnly)
        let (inputs, targets) = Self.predictions(states, tokens: evaluation.tokens(of: pass), length: sequences.length)
        let batch = evaluation.granule * (sequences.length - 1)
        let losses = try model.negativeLogLikelihoods(inputs, targets: targets, batch: max(1, batch))
        sums += (0..<evaluation.granules(of: pass)).map { granule in
          losses[min(losses.count, granule * batch)..<min(losses.count, (granule + 1) * batch)].reduce(0, +)
        }
        try report(work.outputHead(tokens: pass.tokens))
      }
      return try evaluation.sum(sums)
    }
    tokens = sequences.count * (sequences.length - 1)
    value = exp(sum / Double(tokens))
  }

  /// The hidden states that have a successor in their sequence, and those successors.
  private static func predictions(_ states: Matrix<Float>, tokens: [Int32], length: Int) -> (Matrix<Float>, [Int32]) {
    var inputs: [Float] = []
    var targets: [Int32] = []
    inputs.reserveCapacity(states.elements.count)
    for start in stride(from: 0, to: states.rows, by: length) {
      inputs += states.elements[start * states.columns..<(start + length - 1) * states.columns]
      targets += tokens[start + 1..<start + length]
    }
    return (Matrix(rows: targets.count, columns: states.columns, elements: inputs), targets)
  }
}
