import Checkpoint
import Foundation
import Quantization

extension TinyModel {
  /// Writes a model whose gated product in block 0 is of about 10⁶·gain² for token 159, and of usual size for others.
  static func writeOverflowing(gain: Float = 1e18, to folder: URL) throws {
    try write(to: folder) { name, values in
      switch name {
      case "model.embed_tokens.weight":
        for token in 0..<160 { values[token * 64 + 7] = token == 159 ? 1 : 0 }
      case "model.layers.0.self_attn.o_proj.weight":
        for column in 0..<64 { values[7 * 64 + column] = 0 }
      case "model.layers.0.post_attention_layernorm.weight": values[7] = gain
      case "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight":
        for row in 0..<96 { values[row * 64 + 7] = 100 }
      default: break
      }
    }
  }

  /// Writes the model's first two blocks with more channels inside the MLP.
  static func writeWide(inner: Int, to folder: URL) throws {
    let source = try CheckpointFolder(Self.folder)
    var generator = SplitMix64(seed: 1)
    let tensors = try source.tensorNames.filter { !$0.contains("layers.2.") }.map { name in
      let info = TensorInfo(name: name, type: .float32, shape: try source.info(name).shape.map { $0 == 96 ? inner : $0 })
      guard name.contains(".mlp.") else { return (info: info, values: try source.floats(name)) }
      let size = 3 / Float(info.shape[1]).squareRoot()
      return (info: info, values: (0..<info.elementCount).map { _ in size * (Float(generator.next() >> 40) / Float(1 << 24) - 0.5) })
    }
    var writer = try SafetensorsWriter(
      folder.appending(component: "model.safetensors"), tensors: tensors.map(\.info), metadata: ["format": "pt"])
    for tensor in tensors { try tensor.values.withUnsafeBytes { try writer.write($0, of: tensor.info.name) } }
    try writer.finish()
    let configuration = try String(contentsOf: Self.folder.appending(component: "config.json"), encoding: .utf8)
      .replacing("\"intermediate_size\": 96", with: "\"intermediate_size\": \(inner)")
      .replacing("\"num_hidden_layers\": 3", with: "\"num_hidden_layers\": 2")
    try configuration.write(to: folder.appending(component: "config.json"), atomically: true, encoding: .utf8)
  }
}
