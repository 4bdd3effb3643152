import Checkpoint
import Foundation
import StrictJSON
import Transformer

/// Makes a complete Hugging Face folder from a source checkpoint and the packed linears of its blocks.
public struct ArtifactAssembler {
  private let quantizer: ModelQuantizer
  private let blocks: BlockFiles
  private let folder: URL

  /// Files that are copied from the source as they are.
  public static let copiedFiles = [
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json",
  ]

  /// - Parameter folder: Where the files are written; made if it isn't there.
  public init(_ quantizer: ModelQuantizer, blocks: BlockFiles, folder: URL) throws {
    self.quantizer = quantizer
    self.blocks = blocks
    self.folder = folder
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Writes everything but the report, each file fsynced.
  ///
  /// - Parameters:
  ///   - shardLimit: Most bytes of tensors in a file, unless one tensor is larger.
  ///   - checkCancellation: Called before each tensor.
  public func write(shardLimit: Int, checkCancellation: () throws -> Void) throws {
    try writeTensors(shardLimit: shardLimit, checkCancellation: checkCancellation)
    let settings = try QuantizationSettings(quantizer.plan, of: quantizer.configuration, keeping: try keptLayers())
    var configuration = quantizer.configuration.json
    configuration["quantization_config"] = settings.configurationValue
    try write(.object(configuration), to: "config.json")
    try write(settings.quantizeConfigValue, to: "quantize_config.json")
    for name in Self.copiedFiles {
      let source = quantizer.checkpoint.folder.appending(component: name)
      guard FileManager.default.fileExists(atPath: source.path) else { continue }
      try DurableFile.write(try Data(contentsOf: source), to: folder.appending(component: name))
    }
  }

  /// Writes a JSON document of the artifact.
  public func write(_ json: JSONValue, to name: String) throws {
    try DurableFile.write(Data((json.serialized(indent: 2) + "\n").utf8), to: folder.appending(component: name))
  }

  /// Where a tensor of the result comes from.
  private struct Tensor {
    let info: TensorInfo
    /// nil: the source checkpoint.
    let block: Int?
  }

  private func writeTensors(shardLimit: Int, checkCancellation: () throws -> Void) throws {
    let shards = shards(of: try tensors(), limit: shardLimit)
    var files: [JSONObject.Member] = []
    for (index, shard) in shards.enumerated() {
      let name = shards.count == 1 ? "model.safetensors" : Self.shardName(index, of: shards.count)
      var writer = try SafetensorsWriter(
        folder.appending(component: name), tensors: shard.map(\.info), metadata: ["format": "pt"])
      var openBlock: (index: Int, file: SafetensorsFile)?
      for tensor in shard {
        try checkCancellation()
        if let block = tensor.block {
          if openBlock?.index != block { openBlock = (block, try blocks.open(block)) }
          try openBlock?.file.withBytes(of: tensor.info.name) { try writer.write($0, of: tensor.info.name) }
        } else {
          try quantizer.checkpoint.withBytes(of: tensor.info.name) { try writer.write($0, of: tensor.info.name) }
          quantizer.checkpoint.releaseCachedPages(of: tensor.info.name)
        }
        files.append((tensor.info.name, .string(name)))
      }
      try writer.finish()
    }
    var weightMap = JSONObject()
    for (name, file) in files { weightMap[name] = file }
    let total = shards.joined().reduce(0) { $0 + $1.info.byteCount }
    try write(
      .object(["metadata": .object(["total_size": .integer(Int64(total))]), "weight_map": .object(weightMap)]),
      to: "model.safetensors.index.json")
  }

  /// Every tensor of the result: packed ones in place of quantized weights, all else as in the source, sorted by the source's names.
  private func tensors() throws -> [Tensor] {
    let layers = Dictionary(uniqueKeysWithValues: quantizer.layers.map { ($0.name + ".weight", $0) })
    var packed: [Int: [String: TensorInfo]] = [:]
    var tensors: [Tensor] = []
    for name in quantizer.checkpoint.tensorNames {
      guard let layer = layers[name] else {
        tensors.append(Tensor(info: try quantizer.checkpoint.info(name), block: nil))
        continue
      }
      if packed[layer.block] == nil {
        packed[layer.block] = Dictionary(uniqueKeysWithValues: try blocks.open(layer.block).tensors.map { ($0.name, $0) })
      }
      guard packed[layer.block]?[layer.name + ".qweight"] != nil else {
        tensors.append(Tensor(info: try quantizer.checkpoint.info(name), block: nil))
        continue
      }
      for suffix in ["g_idx", "qweight", "qzeros", "scales"] {
        let tensor = layer.name + "." + suffix
        guard let info = packed[layer.block]?[tensor] else { throw CheckpointError.missingTensor(tensor) }
        tensors.append(Tensor(info: info, block: layer.block))
      }
    }
    return tensors
  }

  /// Layers of the job that stay in the source's precision.
  private func keptLayers() throws -> Set<String> {
    let packed = Set(try (0..<quantizer.stepCount).flatMap { try blocks.open($0).tensors.map(\.name) })
    return Set(quantizer.layers.map(\.name).filter { !packed.contains($0 + ".qweight") })
  }

  private func shards(of tensors: [Tensor], limit: Int) -> [[Tensor]] {
    var shards: [[Tensor]] = [[]]
    var size = 0
    for tensor in tensors {
      if size + tensor.info.byteCount > limit, !shards[shards.count - 1].isEmpty {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(tensor)
      size += tensor.info.byteCount
    }
    return shards
  }

  private static func shardName(_ index: Int, of count: Int) -> String {
    func padded(_ number: Int) -> String { String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number) }
    return "model-\(padded(index + 1))-of-\(padded(count)).safetensors"
  }
}
