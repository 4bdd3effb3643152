import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import StrictJSON
import Testing
import Transformer

/// Models whose modules aren't all quantized alike, read back by what their config.json says.
@Suite struct ModuleChoiceTests {
  private static let options = QuantizationOptions(groupSize: 32)

  private static func folder(_ model: String) -> URL { TinyModel.folder.deletingLastPathComponent().appending(component: model) }

  private static func run(
    _ rules: [ModuleRule], on model: String = "qwen2", options: QuantizationOptions = options, quantizesHead: Bool = false
  ) throws -> QuantizationRun {
    try QuantizationRun(
      folder(model), options: options, calibration: TinyModel.data(TinyModel.rows(8, length: 40)), rules: rules,
      quantizesHead: quantizesHead)
  }

  private static func settings(_ run: QuantizationRun) throws -> JSONValue {
    let json = try JSONValue(parsing: Array(Data(contentsOf: run.artifact.appending(component: "config.json"))))
    return try #require(json["quantization_config"])
  }

  private static func rule(
    _ pattern: String, bits: Int? = nil, groupSize: Int? = nil, isSymmetric: Bool? = nil, ordersByActivation: Bool? = nil,
    damping: Double? = nil
  ) -> ModuleRule {
    QuantizationPlanTests.rule(
      pattern, bits: bits, groupSize: groupSize, isSymmetric: isSymmetric, ordersByActivation: ordersByActivation, damping: damping)
  }

  /// The reader of config.json and our own see the same model, and all work was counted.
  private static func check(_ run: QuantizationRun) throws {
    let configuration = run.quantizer.configuration
    let reader = try IndependentReader(run.artifact)
    let reported = try ArchitectureQuantizationTests.perplexity(
      configuration, QuantizedCheckpoint(run.artifact, format: run.quantizer.plan.base.format))
    // The same weights, but for the order of two float32 operations.
    #expect(abs(try ArchitectureQuantizationTests.perplexity(configuration, reader) / reported - 1) < 1e-5)
    for outcome in run.outcomes {
      let isPacked = try CheckpointFolder(run.artifact).contains(outcome.layer.name + ".qweight")
      #expect(isPacked == (outcome.method != .keep))
      guard outcome.layer.block < configuration.blockCount else { continue }
      #expect(try (reader.options(of: outcome.layer.name) != nil) == isPacked, "\(outcome.layer.name)")
    }
    let data = try TinyModel.data(TinyModel.rows(8, length: 40))
    let announced = WorkEstimate(configuration, plan: run.quantizer.plan).quantization(data.initial)
    #expect(abs(run.observer.work / (announced + run.observer.moreWork) - 1) < 1e-9)
  }

  @Test("Bits, groups, symmetry, order and damping by module")
  func mixes() throws {
    let run = try Self.run([
      Self.rule("+:.*\\.(q|k|v)_proj", bits: 8, groupSize: 64),
      Self.rule("+:.*layers\\.2\\..*down_proj", bits: 2, ordersByActivation: true),
      Self.rule("+:.*down_proj", bits: 3, isSymmetric: false, damping: 0.1), Self.rule("-:.*layers\\.1\\..*o_proj"),
    ])
    try Self.check(run)
    let layers = Dictionary(uniqueKeysWithValues: run.outcomes.map { ($0.layer.name, $0) })
    func layer(_ name: String) throws -> LayerOutcome { try #require(layers["model.layers." + name]) }
    #expect(try layer("0.self_attn.q_proj").bits == 8 && layer("0.self_attn.q_proj").groupSize == 64)
    #expect(try layer("0.mlp.down_proj").bits == 3 && layer("0.mlp.down_proj").damping == 0.1)
    #expect(try layer("2.mlp.down_proj").bits == 2 && layer("2.mlp.down_proj").damping == 0.01)
    let kept = try layer("1.self_attn.o_proj")
    #expect(kept.method == .keep && kept.degradedBy == nil && kept.bits == nil)
    #expect(run.observer.warnings.isEmpty)
    #expect(run.outcomes.map(\.layer.position) == Array(0..<run.outcomes.count))
  }

  @Test("Linears of one input may be factored apart, each as if the others weren't there")
  func factorsApart() throws {
    let rule = Self.rule("+:.*k_proj", ordersByActivation: true)
    let mixed = try Self.run([rule]).quantizedFirstStage
    let plain = try Self.run([]).quantizedFirstStage
    let ordered = try Self.run([], options: QuantizationOptions(groupSize: 32, ordering: .descendingActivation)).quantizedFirstStage
    #expect(mixed["q_proj"] == plain["q_proj"] && mixed["v_proj"] == plain["v_proj"])
    #expect(mixed["k_proj"] == ordered["k_proj"] && mixed["k_proj"] != plain["k_proj"])
  }

  @Test("A model of which some stages are left alone", arguments: ["-:.*self_attn", "-:.*mlp", "-:.*down_proj", "-:.*(up|gate)_proj"])
  func leavesStagesAlone(_ pattern: String) throws {
    for model in ["llama", "phi3", "qwen2-moe"] { try Self.check(Self.run([Self.rule(pattern)], on: model)) }
  }

  @Test("Loaders that join modules find the joined ones too")
  func namesFusedModules() throws {
    let rules = [Self.rule("+:.*\\.(q|k|v)_proj", bits: 8), Self.rule("-:.*layers\\.1\\.mlp\\.(gate|up)_proj")]
    let run = try Self.run(rules)
    try Self.check(run)
    let reader = try IndependentReader(run.artifact)
    #expect(try reader.options(of: "model.layers.2.self_attn.qkv_proj") == ["bits": 8])
    #expect(try reader.options(of: "model.layers.1.mlp.gate_up_proj") == nil)
    #expect(try reader.options(of: "model.layers.0.mlp.gate_up_proj") == [:])
    #expect(
      try Self.settings(run)["dynamic"]?.objectValue?.keys == [
        "+:^model\\.layers\\.\\d+\\.self_attn\\.qkv_proj$", "-:^model\\.layers\\.(?:1)\\.mlp\\.gate_up_proj$",
        rules[1].pattern, rules[0].pattern,
      ])
    // What transformers reads instead of patterns: ends of names.
    let modules = try #require(try Self.settings(run)["modules_in_block_to_quantize"]?.arrayValue?.first?.arrayValue?.map(\.stringValue))
    for outcome in run.outcomes {
      #expect(modules.contains { outcome.layer.name.hasSuffix($0 ?? "?") } == (outcome.method != .keep), "\(outcome.layer.name)")
    }
  }

  @Test("A block's experts count as one module")
  func namesExperts() throws {
    let run = try Self.run([Self.rule("+:.*experts\\.\\d+\\.", bits: 8)], on: "qwen3-moe")
    try Self.check(run)
    #expect(try IndependentReader(run.artifact).options(of: "model.layers.0.mlp.experts") == ["bits": 8])
    #expect(try IndependentReader(run.artifact).options(of: "model.layers.0.mlp.gate") == nil)
  }

  @Test("The output head is quantized like any other layer", arguments: ["qwen2", "mixtral", "phi3"])
  func quantizesHead(_ model: String) throws {
    let run = try Self.run([Self.rule("+:lm_head", bits: 8)], on: model, quantizesHead: true)
    try Self.check(run)
    let head = try #require(run.outcome("lm_head"))
    #expect(head.method == .gptq && head.bits == 8 && head.tokens == 7 * 40)
    #expect(try #require(head.relativeLoss) < 1e-3)
    #expect(try Self.settings(run)["lm_head"] == true)
    // 4 bits lose more than 8, and both less than twice what rounding loses.
    let coarse = try #require(try Self.run([], on: model, quantizesHead: true).outcome("lm_head")?.relativeLoss)
    #expect(try coarse > #require(head.relativeLoss) && coarse < 0.02)
  }

  @Test("A rule may leave the output head alone; config.json doesn't promise it then")
  func leavesHeadAlone() throws {
    let run = try Self.run([Self.rule("-:lm_head")], quantizesHead: true)
    try Self.check(run)
    #expect(run.outcome("lm_head") == nil)
    #expect(try Self.settings(run)["lm_head"] == false)
  }

  @Test("A head that is the embedding can't be quantized, and the error says so", arguments: ["gemma2", "qwen2-tied-sharded-bf16"])
  func refusesTiedHead(_ model: String) throws {
    let error = try #require(throws: QuantizationError.self) { try Self.run([], on: model, quantizesHead: true) }
    #expect(error == .tiedHead && error.description.contains("tie_word_embeddings"))
  }

  @Test("A run that was interrupted before the head goes on to the same bytes")
  func resumesBeforeHead() throws {
    let folder = try TemporaryFolder()
    let data = try TinyModel.data(TinyModel.rows(8, length: 40))
    func run(_ folder: TemporaryFolder?, cancelAt layer: String? = nil) throws -> QuantizationRun {
      try QuantizationRun(
        Self.folder("qwen2"), options: Self.options, calibration: data, quantizesHead: true,
        observer: RecordingObserver(cancelAt: layer), folder: folder)
    }
    #expect(throws: QuantizationCancelled.self) { try run(folder, cancelAt: "lm_head") }
    let resumed = try run(folder)
    #expect(resumed.observer.finished.map(\.layer.name) == ["lm_head"])
    let whole = try run(nil)
    func bytes(_ run: QuantizationRun) throws -> Data { try Data(contentsOf: run.artifact.appending(component: "model.safetensors")) }
    #expect(try bytes(resumed) == bytes(whole))
  }

  @Test("Rows of a layer that were packed apart are those that were packed at once", arguments: [2, 3, 4, 8])
  func joinsRows(_ bits: Int) throws {
    let options = QuantizationOptions(bits: bits, groupSize: 32)
    let weight = Matrix<Float>(rows: 96, columns: 64, elements: (0..<96 * 64).map { Float(($0 * 7919) % 1009) / 1009 - 0.5 })
    func packed(_ rows: Range<Int>) throws -> PackedLayer {
      let part = Matrix(rows: rows.count, columns: 64, elements: Array(weight.elements[rows.lowerBound * 64..<rows.upperBound * 64]))
      return PackedLayer(try roundToNearest(part, options: options, layer: "l"), format: .v1)
    }
    #expect(try PackedLayer(joiningRows: [packed(0..<32), packed(32..<96)]) == packed(0..<96))
    #expect(PackedLayer(joiningRows: []) == nil)
  }

  @Test("Any rows of a packed layer can be read alone")
  func readsRows() throws {
    let run = try Self.run([Self.rule("+:.*o_proj", bits: 3)])
    let result = try QuantizedCheckpoint(run.artifact, format: .v1)
    for module in ["q_proj", "o_proj"] {
      let name = "model.layers.0.self_attn.\(module).weight"
      let shape = try result.shape(of: name)
      let whole = try result.matrix(name, rows: shape[0], columns: shape[1])
      for rows in [0..<1, 5..<41, 31..<32, 32..<64, shape[0] - 1..<shape[0]] {
        let part = try result.rows(rows, of: name, columns: shape[1])
        #expect(part.elements == Array(whole.elements[rows.lowerBound * shape[1]..<rows.upperBound * shape[1]]))
      }
    }
  }
}

extension QuantizationRun {
  /// Codes of the linears whose inputs don't depend on what was quantized, by the end of their names.
  fileprivate var quantizedFirstStage: [String: [UInt8]] {
    get throws {
      let result = try QuantizedCheckpoint(artifact, format: .v1)
      let names = ["q_proj", "k_proj", "v_proj"]
      return Dictionary(uniqueKeysWithValues: try names.map { ($0, try result.layer("model.layers.0.self_attn.\($0)").codes) })
    }
  }
}
