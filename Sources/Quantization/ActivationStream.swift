import Foundation
import LinearAlgebra
import Transformer

/// Activations of all calibration sequences on their way through one block after the other.
///
/// Each stage's input is computed once from what the stage before it left, so stages must be asked for in their order.
final class ActivationStream {
  private let hidden: ActivationSpool
  /// Inputs of the attention output projection.
  private let attended: ActivationSpool
  /// Inputs of the down projection; nil where they are computed twice instead.
  private let inner: ActivationSpool?
  /// Inner activations of the MLP are computed twice instead of stored beyond this many bytes.
  private static let innerLimit = 2 << 30

  /// - Parameters:
  ///   - folder: Where the spools are made.
  ///   - tokens: Of all sequences.
  init(_ configuration: ModelConfiguration, in folder: URL, tokens: Int) throws {
    hidden = try ActivationSpool(in: folder, rows: tokens, columns: configuration.hiddenSize)
    attended = try ActivationSpool(in: folder, rows: tokens, columns: configuration.attentionHeads * configuration.headSize)
    let innerBytes = tokens * configuration.intermediateSize * MemoryLayout<Float>.stride
    inner =
      innerBytes <= Self.innerLimit ? try ActivationSpool(in: folder, rows: tokens, columns: configuration.intermediateSize) : nil
  }

  /// Makes room for more tokens.
  func grow(tokens: Int) throws {
    try hidden.grow(rows: tokens)
    try attended.grow(rows: tokens)
    try inner?.grow(rows: tokens)
  }

  /// The hidden states that enter the first block.
  func begin<Source>(_ tokens: ArraySlice<Int32>, at rows: Range<Int>, model: CausalLanguageModel<Source>) throws {
    hidden.write(try model.embed(tokens), at: rows.lowerBound)
  }

  /// Goes on to a stage and returns its input [rows, channels].
  func advance(to stage: BlockStage, _ block: DecoderBlock, _ rows: Range<Int>, monitor: ActivationMonitor?) -> Matrix<Float> {
    monitor?.firstToken = rows.lowerBound
    switch stage {
    case .attentionInput:
      return block.attentionInput(hidden.read(rows), monitor: monitor)
    case .attentionOutput:
      let output = block.attentionOutput(block.attentionInput(hidden.read(rows)), monitor: monitor)
      attended.write(output, at: rows.lowerBound)
      return output
    case .mlpInput:
      var states = hidden.read(rows)
      block.addAttention(attended.read(rows), to: &states, monitor: monitor)
      hidden.write(states, at: rows.lowerBound)
      return block.mlpInput(states, monitor: monitor)
    case .mlpOutput:
      let output = block.mlpOutput(block.mlpInput(hidden.read(rows)), monitor: monitor)
      inner?.write(output, at: rows.lowerBound)
      return output
    }
  }

  /// The input of the stage that the stream has reached, once more.
  func input(of stage: BlockStage, _ block: DecoderBlock, _ rows: Range<Int>) -> Matrix<Float> {
    switch stage {
    case .attentionInput: block.attentionInput(hidden.read(rows))
    case .attentionOutput: attended.read(rows)
    case .mlpInput: block.mlpInput(hidden.read(rows))
    case .mlpOutput: inner?.read(rows) ?? block.mlpOutput(block.mlpInput(hidden.read(rows)))
    }
  }

  /// Leaves the block: from the input of its last stage to the hidden states that enter the next one.
  func finish(_ block: DecoderBlock, _ rows: Range<Int>, monitor: ActivationMonitor?) {
    monitor?.firstToken = rows.lowerBound
    var states = hidden.read(rows)
    block.addMLP(input(of: .mlpOutput, block, rows), to: &states, monitor: monitor)
    hidden.write(states, at: rows.lowerBound)
  }

  /// From one end of a block to the other.
  func pass(_ block: DecoderBlock, _ rows: Range<Int>) {
    var states = hidden.read(rows)
    block.forward(&states)
    hidden.write(states, at: rows.lowerBound)
  }
}
