import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import Transformer

/// One quantization in a temporary folder.
struct QuantizationRun {
  let quantizer: ModelQuantizer
  let result: ModelQuantizer.Result
  let artifact: URL
  let observer: RecordingObserver
  private let folder: TemporaryFolder

  var outcomes: [LayerOutcome] { result.outcomes }

  @discardableResult
  init(
    _ model: URL, options: QuantizationOptions, calibration: CalibrationData?, rules: [ModuleRule] = [],
    quantizesHead: Bool = false, recovery: RecoveryPolicy = RecoveryPolicy(escalation: []), memoryLimit: Int? = nil,
    shardLimit: Int = 1 << 30, keepsHiddenStatesEvery: Duration? = nil, source: BlockSource = BlockSource([:]),
    observer: RecordingObserver = RecordingObserver(), folder: TemporaryFolder? = nil
  ) throws {
    self.folder = try folder ?? TemporaryFolder()
    self.observer = observer
    var quantizer = try ModelQuantizer(
      model: model, options: options, rules: rules, quantizesHead: quantizesHead, memoryLimit: memoryLimit)
    if let keepsHiddenStatesEvery { quantizer.keepsHiddenStatesEvery = keepsHiddenStatesEvery }
    self.quantizer = quantizer
    artifact = self.folder.url.appending(component: "artifact")
    let blocks = try BlockFiles(in: self.folder.url.appending(component: "blocks"))
    result = try quantizer.run(
      calibration: calibration, recovery: recovery, blocks: blocks, source: source, scratch: self.folder.url,
      observer: observer)
    try ArtifactAssembler(quantizer, blocks: blocks, folder: artifact).write(shardLimit: shardLimit, checkCancellation: {})
  }

  func outcome(_ layer: String) -> LayerOutcome? { outcomes.first { $0.layer.name == layer } }
}

/// Keeps what it is told; asks to stop after some layers.
final class RecordingObserver: QuantizationObserver {
  private(set) var finished: [LayerOutcome] = []
  private(set) var attempts: [(layer: String, attempt: Attempt)] = []
  private(set) var warnings: [String] = []
  private(set) var work = 0.0
  /// Beyond what was announced at first.
  private(set) var moreWork = 0.0
  private let cancelAfterLayers: Int
  private let cancelAt: String?
  private let cures: [String: KnownCure]

  /// - Parameter cancelAt: Name of the layer whose beginning stops the run.
  init(cancelAfterLayers: Int = .max, cancelAt: String? = nil, cures: [String: KnownCure] = [:]) {
    self.cancelAfterLayers = cancelAfterLayers
    self.cancelAt = cancelAt
    self.cures = cures
  }

  func began(_ layer: LayerIdentity) throws {
    if layer.name == cancelAt { throw QuantizationCancelled() }
  }
  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) { attempts.append((layer.name, attempt)) }
  func finished(_ outcome: LayerOutcome) { finished.append(outcome) }
  func warn(_ message: String) { warnings.append(message) }
  func knownCure(for layer: LayerIdentity) -> KnownCure? { cures[layer.name] }
  func beganCountedWork() {}
  func did(_ flops: Double) { work += flops }
  func needsMore(_ flops: Double) { moreWork += flops }

  func checkCancellation() throws {
    if finished.count >= cancelAfterLayers { throw QuantizationCancelled() }
  }
}

/// The tiny random Qwen2 of golden/models: 3 blocks, 64 hidden channels, 96 inner, 160 tokens.
enum TinyModel {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "TransformerTests/Fixtures/models/qwen2")

  /// Sequences of ids below 157.
  static func rows(_ count: Int, length: Int = 32) -> [[Int32]] {
    (0..<count).map { row in (0..<length).map { Int32((row * length + $0) * 31 % 157) } }
  }

  /// - Parameters:
  ///   - rows: One sequence each.
  ///   - samples: How many a job begins with; nil: all.
  static func data(_ rows: [[Int32]], samples: Int? = nil) throws -> CalibrationData {
    let dataset = TextDataset(name: "test.jsonl", rows: rows.map { .tokens($0) })
    return try CalibrationData(dataset, tokenizer: nil, samples: samples ?? rows.count, length: rows[0].count, seed: 0)
  }

  /// Writes the model with changed weights.
  ///
  /// - Parameters:
  ///   - model: Another one.
  ///   - change: Gets each tensor's name and values, row after row.
  static func write(
    _ model: URL = Self.folder, to folder: URL, as type: ScalarType = .float32, _ change: (String, inout [Float]) -> Void
  ) throws {
    let source = try CheckpointFolder(model)
    let tensors = try source.tensorNames.map { name in
      var values = try source.floats(name)
      change(name, &values)
      return (info: TensorInfo(name: name, type: type, shape: try source.info(name).shape), values: values)
    }
    var writer = try SafetensorsWriter(
      folder.appending(component: "model.safetensors"), tensors: tensors.map(\.info), metadata: ["format": "pt"])
    for tensor in tensors {
      if type == .float16 {
        try tensor.values.map { Float16($0) }.withUnsafeBytes { try writer.write($0, of: tensor.info.name) }
      } else {
        try tensor.values.withUnsafeBytes { try writer.write($0, of: tensor.info.name) }
      }
    }
    try writer.finish()
    try FileManager.default.copyItem(
      at: model.appending(component: "config.json"), to: folder.appending(component: "config.json"))
  }
}
