import Foundation
import StrictJSON
import Testing
import Transformer

@Suite struct ModelConfigurationTests {
  private static let valid: JSONObject = [
    "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 160, "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000,
    "hidden_act": "silu", "rope_scaling": .null, "use_sliding_window": false,
  ]

  @Test func readsSizesAndDefaults() throws {
    let configuration = try ModelConfiguration(.object(Self.valid))
    #expect(configuration.headSize == 16)
    #expect(configuration.keyValueHeads == 2)
    #expect(!configuration.tiesEmbeddings)
    #expect(configuration.linears.count == 21)
    #expect(configuration.linears[1].name == "model.layers.0.self_attn.k_proj")
    #expect(configuration.linears[1].outputs == 32)
  }

  /// One member of a valid document replaced; nil removes it.
  struct Hostile: Sendable, CustomTestStringConvertible {
    let field: String
    let value: JSONValue?
    let message: String
    var testDescription: String { "\(field) \(value?.serialized() ?? "removed")" }
  }

  @Test(
    "A document that can't be used is refused by the field's name",
    arguments: [
      Hostile(field: "model_type", value: nil, message: "config.json has no model_type"),
      Hostile(field: "model_type", value: "mamba9", message: "model_type \"mamba9\" is not supported; supported are"),
      Hostile(field: "model_type", value: 7, message: "model_type must be a string, is 7"),
      Hostile(field: "hidden_size", value: nil, message: "config.json has no hidden_size"),
      Hostile(field: "hidden_size", value: 0, message: "hidden_size must be an integer from 1"),
      Hostile(field: "hidden_size", value: -64, message: "hidden_size must be an integer from 1"),
      Hostile(field: "hidden_size", value: 9_000_000_000_000_000_000, message: "hidden_size must be an integer from 1"),
      Hostile(field: "hidden_size", value: 64.5, message: "hidden_size must be an integer from 1"),
      Hostile(field: "hidden_size", value: "64", message: "hidden_size must be an integer from 1"),
      Hostile(field: "hidden_size", value: 66, message: "hidden_size must be a multiple of num_attention_heads (4)"),
      Hostile(field: "num_hidden_layers", value: 1_000_000, message: "num_hidden_layers must be an integer from 1 to 10000"),
      Hostile(field: "num_attention_heads", value: 3, message: "num_attention_heads must be a multiple of num_key_value_heads (2)"),
      Hostile(field: "num_key_value_heads", value: 0, message: "num_key_value_heads must be an integer from 1"),
      Hostile(field: "head_dim", value: 15, message: "head_dim must be even"),
      Hostile(field: "rms_norm_eps", value: 0, message: "rms_norm_eps must be a positive number"),
      Hostile(field: "rope_theta", value: "big", message: "rope_theta must be a positive number"),
      Hostile(field: "rope_scaling", value: ["type": "dynamic"], message: "rope_scaling.type \"dynamic\" is not supported: known are"),
      Hostile(field: "rope_scaling", value: "yarn", message: "rope_scaling must be an object, is \"yarn\""),
      Hostile(field: "rope_scaling", value: ["rope_type": 7], message: "rope_scaling.rope_type 7 is not supported"),
      Hostile(field: "rope_scaling", value: ["type": "linear"], message: "config.json has no rope_scaling.factor"),
      Hostile(field: "rope_scaling", value: ["type": "linear", "factor": 0], message: "rope_scaling.factor must be a positive number"),
      Hostile(
        field: "rope_scaling", value: ["type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4],
        message: "high_freq_factor must be more than low_freq_factor"),
      Hostile(
        field: "rope_scaling", value: ["type": "longrope", "short_factor": [1, 1], "long_factor": [1, 1]],
        message: "short_factor must be 8 positive numbers"),
      Hostile(field: "rope_parameters", value: ["rope_theta": -1], message: "rope_parameters.rope_theta must be a positive number"),
      Hostile(field: "partial_rotary_factor", value: 2, message: "partial_rotary_factor must be at most 1"),
      Hostile(field: "hidden_act", value: "gelu", message: "hidden_act \"gelu\" is not supported"),
      Hostile(field: "attention_bias", value: true, message: "attention_bias true is not supported"),
      Hostile(field: "use_sliding_window", value: 1, message: "use_sliding_window must be true or false"),
      Hostile(field: "quantization_config", value: ["bits": 4], message: "start from the original weights"),
      Hostile(field: "tie_word_embeddings", value: "yes", message: "tie_word_embeddings must be true or false"),
    ])
  func refuses(_ hostile: Hostile) throws {
    var object = Self.valid
    object[hostile.field] = hostile.value
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(.object(object)) }
    #expect(error.description.contains(hostile.message), "\(error)")
  }

  @Test(
    "What sliding windows are made of is checked",
    arguments: [
      Hostile(field: "layer_types", value: ["full_attention"], message: "layer_types must be 3 strings"),
      Hostile(
        field: "layer_types", value: ["full_attention", "linear_attention", "full_attention"],
        message: "layer_types \"linear_attention\" is not supported"),
      Hostile(field: "sliding_window", value: 0, message: "sliding_window must be an integer from 1"),
      Hostile(field: "max_window_layers", value: -1, message: "max_window_layers must be an integer from 0"),
    ])
  func refusesWindows(_ hostile: Hostile) throws {
    var object = Self.valid
    object["use_sliding_window"] = true
    object["sliding_window"] = 16
    object[hostile.field] = hostile.value
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(.object(object)) }
    #expect(error.description.contains(hostile.message), "\(error)")
  }

  private static let mixture: JSONObject = [
    "model_type": "qwen3_moe", "hidden_size": 64, "intermediate_size": 96, "moe_intermediate_size": 48, "num_experts_per_tok": 2,
    "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 160,
    "max_position_embeddings": 256,
  ]

  @Test("The number of experts has either of its names", arguments: ["num_experts", "num_local_experts"])
  func readsExpertCounts(_ field: String) throws {
    var object = Self.mixture
    object[field] = 4
    #expect(try ModelConfiguration(.object(object)).experts?.count == 4)
  }

  @Test("Blocks with experts and dense ones follow each other as config.json says, and are numbered through")
  func mixesBlocks() throws {
    var object = Self.mixture
    object["num_experts"] = 4
    object["decoder_sparse_step"] = 2
    object["mlp_only_layers"] = [3]
    let configuration = try ModelConfiguration(.object(object))
    #expect((0..<6).map { configuration.experts(ofBlock: $0) != nil } == [false, true, false, false, false, true])
    let linears = configuration.linears
    #expect(linears.map(\.position) == Array(linears.indices))
    #expect(linears.count == 4 * 7 + 2 * (4 + 4 * 3) && configuration.linearCount == linears.count)
  }

  @Test(
    "Windows of mixtures are those of transformers 5",
    arguments: [("qwen2_moe", [true, false, true, false, false, false]), ("qwen3_moe", [true, true, true, true, true, true])])
  func slidesMixtures(_ type: String, _ slides: [Bool]) throws {
    var object = Self.mixture
    (object["num_experts"], object["shared_expert_intermediate_size"]) = (4, 80)
    (object["sliding_window"], object["max_window_layers"]) = (16, 4)
    object["model_type"] = .string(type)
    object["use_sliding_window"] = true
    let configuration = try ModelConfiguration(.object(object))
    #expect((0..<6).map { configuration.window(ofBlock: $0) == 16 } == slides)
  }

  @Test(
    "What experts are made of is checked",
    arguments: [
      Hostile(field: "num_experts", value: 0, message: "num_experts must be an integer from 1"),
      Hostile(field: "num_experts", value: 1_000_000_000, message: "num_experts must be an integer from 1"),
      Hostile(field: "num_experts", value: .null, message: "has no num_experts"),
      Hostile(field: "num_local_experts", value: 8, message: "num_local_experts must be that of num_experts (4), is 8"),
      Hostile(field: "num_experts_per_tok", value: 5, message: "num_experts_per_tok must be at most num_experts (4), is 5"),
      Hostile(field: "num_experts_per_tok", value: "2", message: "num_experts_per_tok must be an integer"),
      Hostile(field: "moe_intermediate_size", value: -1, message: "moe_intermediate_size must be an integer from 1"),
      Hostile(field: "decoder_sparse_step", value: 0, message: "decoder_sparse_step must be an integer from 1"),
      Hostile(field: "mlp_only_layers", value: [6], message: "mlp_only_layers"),
      Hostile(field: "mlp_only_layers", value: 3, message: "mlp_only_layers"),
      Hostile(field: "norm_topk_prob", value: 1, message: "norm_topk_prob must be true or false"),
    ])
  func refusesExperts(_ hostile: Hostile) throws {
    var object = Self.mixture
    object["num_experts"] = 4
    object[hostile.field] = hostile.value
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(.object(object)) }
    #expect(error.description.contains(hostile.message), "\(error)")
  }

  @Test(
    "A file that is no JSON object is refused",
    arguments: ["", "[]", "null", "{", "{\"model_type\": \"qwen2\", \"model_type\": \"qwen2\"}"])
  func refusesText(_ text: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(component: "config-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(text.utf8).write(to: folder.appending(component: "config.json"))
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(folder: folder) }
    #expect(error.description.contains("config.json can't be used"), "\(error)")
  }

  @Test func refusesAFolderWithoutIt() throws {
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(folder: URL(filePath: "/nowhere")) }
    #expect(error.description.contains("isn't in the folder"), "\(error)")
  }
}
