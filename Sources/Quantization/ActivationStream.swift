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

  /// - Parameters:
  ///   - folder: Where spools are made that memory has no room for.
  ///   - tokens: Of all sequences.
  init(_ configuration: ModelConfiguration, in folder: URL, tokens: Int, plan: MemoryPlan) throws {
    func spool(_ columns: Int) throws -> ActivationSpool {
      try ActivationSpool(in: plan.spoolsToDisk ? folder : nil, rows: tokens, columns: columns)
    }
    hidden = try spool(configuration.hiddenSize)
    attended = try spool(configuration.queryChannels)
    inner = plan.keepsInnerActivations ? try spool(configuration.intermediateSize) : nil
  }

  /// Makes room for more tokens.
  func grow(tokens: Int) throws {
    try hidden.grow(rows: tokens)
    try attended.grow(rows: tokens)
    try inner?.grow(rows: tokens)
  }

  /// The hidden states that enter the first block.
  func begin<Source>(_ tokens: [Int32], at rows: Range<Int>, model: CausalLanguageModel<Source>) throws {
    defer { release(rows) }
    try model.embed(tokens, into: hidden[rows])
  }

  /// Goes on to a stage.
  func advance(to stage: BlockStage, _ block: DecoderBlock, _ rows: Range<Int>, monitor: ActivationMonitor?) {
    defer { release(rows) }
    monitor?.firstToken = rows.lowerBound
    switch stage {
    case .attentionInput: break
    case .attentionOutput: block.attentionOutput(hidden[rows].readOnly, into: attended[rows], monitor: monitor)
    case .mlpInput: block.addAttention(attended[rows].readOnly, to: hidden[rows], monitor: monitor)
    case .mlpOutput:
      if let inner { block.mlpOutput(hidden[rows].readOnly, into: inner[rows], monitor: monitor) }
    }
  }

  /// Lends the input [rows, channels] of the stage that the stream has reached.
  func withInput<Result>(
    of stage: BlockStage, _ block: DecoderBlock, _ rows: Range<Int>, monitor: ActivationMonitor? = nil,
    _ body: (MatrixView<Float>) throws -> Result
  ) rethrows -> Result {
    defer { release(rows) }
    monitor?.firstToken = rows.lowerBound
    switch stage {
    case .attentionInput:
      return try withScratchMatrix(rows: rows.count, columns: hidden.columns) { input in
        block.attentionInput(hidden[rows].readOnly, into: input, monitor: monitor)
        return try body(input.readOnly)
      }
    case .attentionOutput: return try body(attended[rows].readOnly)
    case .mlpInput:
      return try withScratchMatrix(rows: rows.count, columns: hidden.columns) { input in
        block.mlpInput(hidden[rows].readOnly, into: input, monitor: monitor)
        return try body(input.readOnly)
      }
    case .mlpOutput:
      if let inner { return try body(inner[rows].readOnly) }
      return try withScratchMatrix(rows: rows.count, columns: block.intermediateSize) { input in
        block.mlpOutput(hidden[rows].readOnly, into: input, monitor: monitor)
        return try body(input.readOnly)
      }
    }
  }

  /// Leaves the block: from the input of its last stage to the hidden states that enter the next one.
  func finish(_ block: DecoderBlock, _ rows: Range<Int>, monitor: ActivationMonitor?) {
    defer { release(rows) }
    monitor?.firstToken = rows.lowerBound
    if let inner {
      block.addMLP(inner[rows].readOnly, to: hidden[rows], monitor: monitor)
    } else {
      block.addMLP(to: hidden[rows], monitor: monitor)
    }
  }

  /// Leaves the block, and lends the outputs of its last linear [rows, hidden size].
  ///
  /// - Parameter input: Of its last stage.
  func withOutput(
    _ block: DecoderBlock, of input: MatrixView<Float>, _ rows: Range<Int>, monitor: ActivationMonitor?,
    _ body: (MatrixView<Float>) throws -> Void
  ) rethrows {
    defer { release(rows) }
    monitor?.firstToken = rows.lowerBound
    try withScratchMatrix(rows: rows.count, columns: hidden.columns) { output in
      block.addMLP(input, to: hidden[rows], keeping: output, monitor: monitor)
      try body(output.readOnly)
    }
  }

  /// Lends the hidden states between two blocks.
  func withHidden<Result>(_ rows: Range<Int>, monitor: ActivationMonitor, _ body: (MatrixView<Float>) throws -> Result) rethrows -> Result {
    defer { release(rows) }
    monitor.firstToken = rows.lowerBound
    return try body(hidden[rows].readOnly)
  }

  /// Lends the bytes of the hidden states between two blocks.
  func withHiddenBytes<Result>(_ rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    defer { release(rows) }
    let view = hidden[rows]
    return try body(UnsafeRawBufferPointer(start: view.base, count: rows.count * hidden.columns * MemoryLayout<Float>.stride))
  }

  /// - Parameter bytes: Of as many tokens as the rows are.
  func setHidden(_ rows: Range<Int>, to bytes: UnsafeRawBufferPointer) {
    defer { release(rows) }
    if let base = bytes.baseAddress { UnsafeMutableRawPointer(hidden[rows].base).copyMemory(from: base, byteCount: bytes.count) }
  }

  /// From one end of a block to the other.
  func pass(_ block: DecoderBlock, _ rows: Range<Int>) {
    defer { release(rows) }
    block.forward(hidden[rows])
  }

  private func release(_ rows: Range<Int>) {
    hidden.release(rows)
    attended.release(rows)
    inner?.release(rows)
  }
}
