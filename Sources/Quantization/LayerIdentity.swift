import Transformer

/// A layer of a job, by name and shape.
public struct LayerIdentity: Sendable, Hashable, Codable {
  /// Module name in the checkpoint, such as `model.layers.0.self_attn.q_proj`.
  public let name: String
  /// Order in which the job handles its layers, from 0.
  public let position: Int
  public let block: Int
  /// Output channels: rows of the weight.
  public let outputs: Int
  /// Input channels: columns of the weight.
  public let inputs: Int

  public init(name: String, position: Int, block: Int, outputs: Int, inputs: Int) {
    self.name = name
    self.position = position
    self.block = block
    self.outputs = outputs
    self.inputs = inputs
  }

  public init(_ layer: LinearLayer) {
    self.init(name: layer.name, position: layer.position, block: layer.block, outputs: layer.outputs, inputs: layer.inputs)
  }

  /// The output head, after the last block.
  public init(outputHeadOf configuration: ModelConfiguration) {
    self.init(
      name: configuration.architecture.outputHeadModule, position: configuration.linearCount, block: configuration.blockCount,
      outputs: configuration.vocabularySize, inputs: configuration.hiddenSize)
  }
}
