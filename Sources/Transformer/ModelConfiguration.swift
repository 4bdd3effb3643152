import Foundation
import StrictJSON

/// What config.json says about a model's shape (Hugging Face `PretrainedConfig`).
public struct ModelConfiguration: Sendable {
  public let modelType: String
  public let hiddenSize: Int
  /// Inner size of the MLP.
  public let intermediateSize: Int
  public let blockCount: Int
  public let attentionHeads: Int
  public let keyValueHeads: Int
  /// Channels of one attention head.
  public let headSize: Int
  public let vocabularySize: Int
  /// Longest sequence in tokens.
  public let maximumPositions: Int
  public let normEpsilon: Float
  /// Radians by which a position turns each pair of a head's channels.
  public package(set) var rotaryFrequencies: [Float]
  /// The output projection is the embedding matrix.
  public let tiesEmbeddings: Bool
  public let architecture: Architecture
  /// The document itself, for what is copied into the result.
  public let json: JSONObject

  /// Reads `config.json` of a checkpoint folder.
  public init(folder: URL) throws {
    let file = folder.appending(component: "config.json")
    guard let data = try? Data(contentsOf: file) else {
      throw ModelError.unreadableConfiguration(
        path: "config.json", reason: "it isn't in the folder or can't be read; a model folder in Hugging Face layout has one")
    }
    do {
      try self.init(JSONValue(parsing: Array(data)))
    } catch let error as JSONSyntaxError {
      throw ModelError.unreadableConfiguration(path: "config.json", reason: error.description)
    }
  }

  /// - Throws: `ModelError`.
  public init(_ json: JSONValue) throws {
    guard case .object(let object) = json else {
      throw ModelError.unreadableConfiguration(path: "config.json", reason: "it holds \(json.kindDescription), not an object")
    }
    let fields = ConfigurationFields(object)
    self.json = object
    modelType = try fields.string("model_type")
    architecture = try Architecture.named(modelType)
    hiddenSize = try fields.count("hidden_size")
    intermediateSize = try fields.count("intermediate_size")
    blockCount = try fields.count("num_hidden_layers", limit: 10_000)
    attentionHeads = try fields.count("num_attention_heads", limit: 65_536)
    keyValueHeads = try fields.optionalCount("num_key_value_heads", limit: 65_536) ?? attentionHeads
    vocabularySize = try fields.count("vocab_size")
    maximumPositions = try fields.count("max_position_embeddings", limit: 1 << 30)
    normEpsilon = Float(try fields.positive("rms_norm_eps", default: 1e-6))
    tiesEmbeddings = try fields.bool("tie_word_embeddings", default: false)
    guard attentionHeads % keyValueHeads == 0 else {
      throw ModelError.invalidField(
        "num_attention_heads", expected: "a multiple of num_key_value_heads (\(keyValueHeads))", found: String(attentionHeads))
    }
    if let size = try fields.optionalCount("head_dim", limit: 65_536) {
      headSize = size
    } else {
      guard hiddenSize % attentionHeads == 0 else {
        throw ModelError.invalidField(
          "hidden_size", expected: "a multiple of num_attention_heads (\(attentionHeads)), or head_dim given", found: String(hiddenSize))
      }
      headSize = hiddenSize / attentionHeads
    }
    guard headSize % 2 == 0 else {
      throw ModelError.invalidField("head_dim", expected: "even (rotary position embedding pairs channels)", found: String(headSize))
    }
    rotaryFrequencies = RotaryEmbedding.frequencies(size: headSize, theta: try fields.rotaryTheta())
    try fields.refuseUnsupported()
  }
}

/// Typed access to config.json's members.
private struct ConfigurationFields {
  let object: JSONObject

  init(_ object: JSONObject) { self.object = object }

  private func member(_ name: String) -> JSONValue? { object[name].flatMap { $0.isNull ? nil : $0 } }

  private func invalid(_ name: String, _ expected: String, _ value: JSONValue) -> ModelError {
    .invalidField(name, expected: expected, found: String(value.serialized().prefix(80)))
  }

  func string(_ name: String) throws -> String {
    guard let value = member(name) else { throw ModelError.missingField(name) }
    guard let string = value.stringValue else { throw invalid(name, "a string", value) }
    return string
  }

  /// A size; limited so that products of two can't overflow.
  func count(_ name: String, limit: Int = 1 << 28) throws -> Int {
    guard let count = try optionalCount(name, limit: limit) else { throw ModelError.missingField(name) }
    return count
  }

  func optionalCount(_ name: String, limit: Int) throws -> Int? {
    guard let value = member(name) else { return nil }
    guard let count = value.intValue, (1...limit).contains(count) else { throw invalid(name, "an integer from 1 to \(limit)", value) }
    return count
  }

  func positive(_ name: String, default fallback: Double) throws -> Double {
    guard let value = member(name) else { return fallback }
    guard let number = value.doubleValue, number > 0 else { throw invalid(name, "a positive number", value) }
    return number
  }

  func bool(_ name: String, default fallback: Bool) throws -> Bool {
    guard let value = member(name) else { return fallback }
    guard let bool = value.boolValue else { throw invalid(name, "true or false", value) }
    return bool
  }

  /// `rope_theta`, which transformers 5 writes into `rope_parameters`.
  func rotaryTheta() throws -> Double {
    guard let parameters = member("rope_parameters")?.objectValue, parameters["rope_theta"] != nil else {
      return try positive("rope_theta", default: 10_000)
    }
    return try ConfigurationFields(parameters).positive("rope_theta", default: 10_000)
  }

  /// Computing without a feature that the model was trained with would quantize it for wrong activations.
  func refuseUnsupported() throws {
    if let activation = member("hidden_act"), activation.stringValue != "silu" {
      throw ModelError.unsupported(field: "hidden_act", value: activation.serialized(), advice: "only \"silu\" is")
    }
    for field in ["rope_scaling", "rope_parameters"] {
      guard let rope = member(field) else { continue }
      guard let type = rope.objectValue?["rope_type"] ?? rope.objectValue?["type"], type.stringValue == "default" else {
        throw ModelError.unsupported(
          field: field, value: String(rope.serialized().prefix(80)), advice: "only rope_type \"default\", without scaling, is")
      }
    }
    for field in ["attention_bias", "mlp_bias"] where try bool(field, default: false) {
      throw ModelError.unsupported(field: field, value: "true", advice: "only this family's usual biases are")
    }
    if try bool("use_sliding_window", default: false) {
      throw ModelError.unsupported(field: "use_sliding_window", value: "true", advice: "only full attention is")
    }
    if member("quantization_config") != nil {
      throw ModelError.unsupported(
        field: "quantization_config", value: "of an already quantized checkpoint", advice: "start from the original weights")
    }
  }
}
