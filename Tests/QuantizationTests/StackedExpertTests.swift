import Checkpoint
import Foundation
import Quantization
import StrictJSON
import Testing
import Transformer

/// Checkpoints whose experts are stacked as transformers 5 has them in memory.
@Suite struct StackedExpertTests {
  private static func folder(_ model: String) -> URL { TinyModel.folder.deletingLastPathComponent().appending(component: model) }

  /// Stacks the experts of a tiny model.
  ///
  /// - Parameter transposed: Input channels first, as no known architecture of ours has them.
  private static func write(_ model: String, to target: URL, transposed: Bool = false) throws {
    let source = try CheckpointFolder(folder(model))
    let configuration = try ModelConfiguration(folder: folder(model))
    let experts = try #require(configuration.experts)
    let names = model == "mixtral" ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"]
    let module = model == "mixtral" ? "block_sparse_moe" : "mlp"
    var tensors: [(TensorInfo, [Float])] = []
    for name in source.tensorNames where !name.contains(".experts.") {
      let renamed = name.replacing("block_sparse_moe.gate", with: "mlp.gate")
      tensors.append((TensorInfo(name: renamed, type: .float32, shape: try source.info(name).shape), try source.floats(name)))
    }
    let (inner, hidden) = (experts.intermediateSize, configuration.hiddenSize)
    for block in 0..<configuration.blockCount {
      func values(_ linear: String, _ expert: Int) throws -> [Float] {
        try source.floats("model.layers.\(block).\(module).experts.\(expert).\(linear).weight")
      }
      let gateUp = try (0..<experts.count).flatMap { try values(names[0], $0) + values(names[1], $0) }
      let down = try (0..<experts.count).flatMap { try values(names[2], $0) }
      let shape = transposed ? [experts.count, hidden, 2 * inner] : [experts.count, 2 * inner, hidden]
      tensors.append((TensorInfo(name: "model.layers.\(block).mlp.experts.gate_up_proj", type: .float32, shape: shape), gateUp))
      tensors.append(
        (TensorInfo(name: "model.layers.\(block).mlp.experts.down_proj", type: .float32, shape: [experts.count, hidden, inner]), down))
    }
    var writer = try SafetensorsWriter(target.appending(component: "model.safetensors"), tensors: tensors.map(\.0), metadata: [:])
    for (info, values) in tensors { try values.withUnsafeBytes { try writer.write($0, of: info.name) } }
    try writer.finish()
    try FileManager.default.copyItem(
      at: folder(model).appending(component: "config.json"), to: target.appending(component: "config.json"))
  }

  @Test("The result is that of a checkpoint with a tensor per expert, byte for byte", arguments: ["mixtral", "qwen2-moe", "qwen3-moe"])
  func quantizes(_ model: String) throws {
    let stacked = try TemporaryFolder()
    try Self.write(model, to: stacked.url)
    func bytes(_ folder: URL) throws -> Data {
      let run = try QuantizationRun(
        folder, options: QuantizationOptions(groupSize: 32), calibration: TinyModel.data(TinyModel.rows(4, length: 40)),
        rules: [QuantizationPlanTests.rule("-:.*experts\\.1\\.")])
      return try Data(contentsOf: run.artifact.appending(component: "model.safetensors"))
    }
    #expect(try bytes(stacked.url) == bytes(Self.folder(model)))
  }

  @Test("A configuration of more linears than the weights can hold is refused before any is listed")
  func refusesHugeConfigurations() throws {
    let folder = try TemporaryFolder()
    let file = Self.folder("qwen3-moe").appending(component: "config.json")
    var json = try #require(JSONValue(parsing: Array(Data(contentsOf: file))).objectValue)
    (json["num_experts"], json["num_hidden_layers"]) = (65_536, 10_000)
    json["layer_types"] = nil
    try Data(JSONValue.object(json).serialized().utf8).write(to: folder.url.appending(component: "config.json"))
    try FileManager.default.copyItem(
      at: Self.folder("qwen3-moe").appending(component: "model.safetensors"), to: folder.url.appending(component: "model.safetensors"))
    let error = try #require(throws: ModelError.self) {
      try ModelQuantizer(model: folder.url, options: QuantizationOptions(groupSize: 32))
    }
    #expect(error.description.contains("describes 1966120000 linears"), "\(error)")
  }

  @Test("A stack of another shape is refused with both shapes")
  func refusesOtherShapes() throws {
    let stacked = try TemporaryFolder()
    try Self.write("qwen3-moe", to: stacked.url, transposed: true)
    let error = try #require(throws: ModelError.self) {
      try ModelQuantizer(model: stacked.url, options: QuantizationOptions(groupSize: 32))
    }
    guard case .wrongShape(let tensor, let expected, let found) = error else { throw error }
    #expect(tensor == "model.layers.0.mlp.experts.gate_up_proj" && expected.count == 3 && expected != found)
  }

  @Test("A stack without its other half is refused by the missing tensor's name")
  func refusesHalves() throws {
    let folder = try TemporaryFolder()
    try Self.write("qwen3-moe", to: folder.url)
    let source = try CheckpointFolder(folder.url)
    let names = source.tensorNames.filter { !$0.hasSuffix("1.mlp.experts.down_proj") }
    var writer = try SafetensorsWriter(
      folder.url.appending(component: "half.safetensors"), tensors: names.map { try source.info($0) }, metadata: [:])
    for name in names { try source.withBytes(of: name) { try writer.write($0, of: name) } }
    try writer.finish()
    let target = folder.url.appending(component: "model.safetensors")
    try FileManager.default.removeItem(at: target)
    try FileManager.default.moveItem(at: folder.url.appending(component: "half.safetensors"), to: target)
    #expect(throws: CheckpointError.missingTensor("model.layers.1.mlp.experts.down_proj")) {
      try ModelQuantizer(model: folder.url, options: QuantizationOptions(groupSize: 32))
    }
  }
}
