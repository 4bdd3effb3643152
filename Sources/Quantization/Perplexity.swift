import Foundation
import LinearAlgebra
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
  ///   - checkCancellation: Called before each batch; throws to stop.
  ///   - report: Told the floating-point operations of each batch when it is done.
  public init(
    of configuration: ModelConfiguration, weights: some TensorSource, on sequences: TokenSequences, scratch: URL,
    checkCancellation: () throws -> Void, report: (_ flops: Double) throws -> Void
  ) throws {
    let model = try CausalLanguageModel(configuration, from: weights)
    let pass = TokenSlices(length: sequences.length, widest: configuration.intermediateSize).pass
    let passes = stride(from: 0, to: sequences.tokens.count, by: pass).map { $0..<min(sequences.tokens.count, $0 + pass) }
    let bytes = ActivationSpool.byteCount(rows: sequences.tokens.count, columns: configuration.hiddenSize)
    let hidden = try ActivationSpool(
      in: bytes <= Self.inMemory ? nil : scratch, rows: sequences.tokens.count, columns: configuration.hiddenSize)
    for rows in passes { try model.embed(sequences.tokens[rows], into: hidden[rows]) }
    let work = WorkEstimate(configuration, plan: QuantizationPlan(QuantizationOptions(method: .rtn)))
    for index in 0..<configuration.blockCount {
      let block = try DecoderBlock(index, of: configuration, from: weights, length: sequences.length)
      for rows in passes {
        try checkCancellation()
        block.forward(hidden[rows])
        hidden.release(rows)
        try report(work.forward(block: index, tokens: rows.count, length: sequences.length))
      }
    }
    var sum = 0.0
    for rows in passes {
      try checkCancellation()
      let states = model.normalize(hidden[rows].readOnly)
      let (inputs, targets) = Self.predictions(states, tokens: sequences.tokens[rows], length: sequences.length)
      sum += try model.negativeLogLikelihoods(inputs, targets: targets).reduce(0, +)
      try report(work.outputHead(tokens: rows.count))
    }
    tokens = sequences.count * (sequences.length - 1)
    value = exp(sum / Double(tokens))
  }

  /// The hidden states that have a successor in their sequence, and those successors.
  private static func predictions(_ states: Matrix<Float>, tokens: ArraySlice<Int32>, length: Int) -> (Matrix<Float>, [Int32]) {
    var inputs: [Float] = []
    var targets: [Int32] = []
    inputs.reserveCapacity(states.elements.count)
    for start in stride(from: 0, to: states.rows, by: length) {
      inputs += states.elements[start * states.columns..<(start + length - 1) * states.columns]
      targets += tokens[tokens.startIndex + start + 1..<tokens.startIndex + start + length]
    }
    return (Matrix(rows: targets.count, columns: states.columns, elements: inputs), targets)
  }
}
