import Checkpoint
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
  /// The output projection is the embedding matrix.
  public let tiesEmbeddings: Bool
  public let architecture: Architecture
  /// Linears that have a bias.
  let biased: Set<LinearRole>
  /// nil: all MLPs are dense.
  public let experts: ExpertConfiguration?
  /// What products of queries and keys are multiplied by.
  let attentionScale: Float
  /// c of c·tanh(x/c), which bounds attention scores; nil: unbounded.
  package var scoreCap: Float?
  /// The same of logits.
  let logitCap: Float?
  let activation: Activation
  /// Tokens that each block's queries attend to, themselves among them; nil: all before.
  private let windows: [Int?]
  /// Of blocks without a window, or of all.
  package var rotary: RotaryScheme
  /// Of blocks with a window, where that differs.
  private let localRotary: RotaryScheme?
  /// The document itself, for what is copied into the result.
  public let json: JSONObject

  /// Reads `config.json` of a checkpoint folder.
  public init(folder: URL) throws {
    let file = folder.appending(component: "config.json")
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch  where [.EMFILE, .ENFILE].contains(error.posixCode) {
      throw CheckpointError.tooManyOpenFiles(file: file.lastPathComponent)
    } catch  where ![nil, .ENOENT, .ENOTDIR].contains(error.posixCode) {
      throw ModelError.unreadableConfiguration(path: "config.json", reason: "it can't be read: \(error.reason)")
    } catch {
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
  public init(_ json: JSONValue) throws(ModelError) {
    guard case .object(let object) = json else {
      throw ModelError.unreadableConfiguration(path: "config.json", reason: "it holds \(json.kindDescription), not an object")
    }
    let fields = ConfigurationFields(object)
    self.json = object
    modelType = try fields.string("model_type")
    architecture = try Architecture.named(modelType)
    if fields.gives("quantization_config") {
      throw .unsupported(
        field: "quantization_config", value: "of an already quantized checkpoint", advice: "start from the original weights")
    }
    hiddenSize = try fields.count("hidden_size")
    intermediateSize = try fields.count("intermediate_size")
    blockCount = try fields.count("num_hidden_layers", limit: 10_000)
    vocabularySize = try fields.count("vocab_size")
    maximumPositions = try fields.count("max_position_embeddings", limit: 1 << 30)
    normEpsilon = Float(try fields.positive("rms_norm_eps", default: 1e-6))
    tiesEmbeddings = try fields.bool("tie_word_embeddings", default: architecture.tiesEmbeddings)
    activation = try fields.choice(architecture.activationField, default: architecture.activation)
    biased = try fields.biased(architecture)
    (attentionHeads, keyValueHeads, headSize) = try fields.heads(architecture, hiddenSize: hiddenSize)
    let scalar = try architecture.attentionScalar.map { scalar throws(ModelError) in
      try fields.positive("query_pre_attn_scalar", default: scalar)
    }
    attentionScale = Float(1 / (scalar ?? Double(headSize)).squareRoot())
    scoreCap = try fields.cap("attn_logit_softcapping", default: architecture.scoreCap)
    logitCap = try fields.cap("final_logit_softcapping", default: architecture.logitCap)
    let blocks = blockCount
    experts = try architecture.experts.map { layout throws(ModelError) in try fields.experts(layout, blockCount: blocks) }
    windows = try fields.windows(architecture.windows, blockCount: blockCount)
    (rotary, localRotary) = try fields.rotary(architecture, headSize: headSize, maximumPositions: maximumPositions)
  }

  /// Channels of all heads' queries.
  public var queryChannels: Int { attentionHeads * headSize }
  /// Channels of all heads' keys; of their values too.
  public var keyChannels: Int { keyValueHeads * headSize }
  /// What embeddings are multiplied by.
  var embeddingScale: Float { architecture.scalesEmbeddings ? Float(hiddenSize).squareRoot() : 1 }

  /// The experts of a block; nil: its MLP is dense.
  public func experts(ofBlock block: Int) -> ExpertConfiguration? { experts.flatMap { $0.sparseBlocks[block] ? $0 : nil } }

  /// Modules of a block that decide which experts compute a token; they are never quantized.
  package func gates(ofBlock block: Int) -> [String] {
    guard let layout = architecture.experts, let experts = experts(ofBlock: block) else { return [] }
    let gates = [layout.router] + (experts.sharedIntermediateSize == nil ? [] : [layout.sharedGate])
    return gates.map { architecture.blockPrefix(block) + $0 }
  }

  /// Tokens that a block's queries attend to, themselves among them; nil: all before.
  package func window(ofBlock block: Int) -> Int? { windows[block] }

  func rotary(ofBlock block: Int) -> RotaryScheme { windows[block] == nil ? rotary : localRotary ?? rotary }
}

extension ConfigurationFields {
  fileprivate func biased(_ architecture: Architecture) throws(ModelError) -> Set<LinearRole> {
    var biased = architecture.biased
    if gives("qkv_bias"), try !bool("qkv_bias", default: true) { biased.subtract([.query, .key, .value]) }
    for (field, isOfAttention) in [("attention_bias", true), ("mlp_bias", false)] where try bool(field, default: false) {
      guard architecture.readsBiasFields else {
        throw .unsupported(field: field, value: "true", advice: "only this family's usual biases are")
      }
      biased.formUnion(LinearRole.allCases.filter { $0.isOfAttention == isOfAttention })
    }
    return biased
  }

  fileprivate func heads(
    _ architecture: Architecture, hiddenSize: Int
  ) throws(ModelError) -> (heads: Int, keyValueHeads: Int, size: Int) {
    let heads = try count("num_attention_heads", limit: 65_536)
    let keyValueHeads = try optionalCount("num_key_value_heads", limit: 65_536) ?? heads
    guard heads % keyValueHeads == 0 else {
      throw .invalidField("num_attention_heads", expected: "a multiple of num_key_value_heads (\(keyValueHeads))", found: String(heads))
    }
    if let size = try optionalCount("head_dim", limit: 65_536) ?? architecture.headSize { return (heads, keyValueHeads, size) }
    guard hiddenSize % heads == 0 else {
      throw .invalidField(
        "hidden_size", expected: "a multiple of num_attention_heads (\(heads)), or head_dim given", found: String(hiddenSize))
    }
    return (heads, keyValueHeads, hiddenSize / heads)
  }

  /// null turns a family's cap off.
  fileprivate func cap(_ name: String, default fallback: Double?) throws(ModelError) -> Float? {
    guard has(name) else { return fallback.map { Float($0) } }
    return try optionalPositive(name).map { Float($0) }
  }

  fileprivate func windows(_ rule: WindowRule, blockCount: Int) throws(ModelError) -> [Int?] {
    let all = [Int?](repeating: nil, count: blockCount)
    switch rule {
    case .none: return all
    case .everywhere(let size):
      let window = has("sliding_window") ? try optionalCount("sliding_window") : size
      return all.map { _ in window }
    case .whereAsked:
      guard try bool("use_sliding_window", default: false), let window = try optionalCount("sliding_window") else { return all }
      let first = try optionalCount("max_window_layers", from: 0) ?? 28
      let slides = try slidingBlocks(count: blockCount) ?? all.indices.map { $0 >= first }
      return slides.map { $0 ? window : nil }
    case .everywhereIfAsked:
      guard try bool("use_sliding_window", default: false), let window = try optionalCount("sliding_window") else { return all }
      return all.map { _ in window }
    case .everySecondIfAsked:
      guard try bool("use_sliding_window", default: false) else { return all }
      let window = try optionalCount("sliding_window") ?? 4096
      let end = try optionalCount("max_window_layers", from: 0) ?? 28
      let slides = try slidingBlocks(count: blockCount) ?? all.indices.map { $0 < end && $0.isMultiple(of: 2) }
      return slides.map { $0 ? window : nil }
    case .allButEvery(let period):
      // transformers 4.57 writes its own field with an underscore.
      let field = gives("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern"
      let period = try optionalCount(field) ?? period
      let window = try optionalCount("sliding_window") ?? 4096
      let slides = try slidingBlocks(count: blockCount) ?? all.indices.map { ($0 + 1) % period != 0 }
      return slides.map { $0 ? window : nil }
    }
  }

  /// What `layer_types` says of each block.
  private func slidingBlocks(count: Int) throws(ModelError) -> [Bool]? {
    guard let types = try strings("layer_types", count: count) else { return nil }
    for type in types where type != "full_attention" && type != "sliding_attention" {
      throw .unsupported(
        field: "layer_types", value: "\"\(type)\"", advice: "known are \"full_attention\" and \"sliding_attention\"")
    }
    return types.map { $0 == "sliding_attention" }
  }
}
