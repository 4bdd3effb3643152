import Checkpoint
import Foundation
import LinearAlgebra
import Testing
import Transformer

/// Tiny checkpoints with what transformers computes from them in float32 (Fixtures/models).
@Suite struct GoldenModelTests {
  struct Reference: Sendable, CustomTestStringConvertible {
    let model: String
    let file: String
    var peculiarity: Peculiarity?
    var testDescription: String { "\(model), \(file)" }
  }

  /// What the run that made a reference did unlike `from_pretrained`, vLLM and this project.
  enum Peculiarity {
    /// The model had been converted to bfloat16 and back, rotary frequencies, which others keep in float32, included.
    case roundedFrequencies
    /// Attention ran through PyTorch's `scaled_dot_product_attention`, which can't cap scores.
    case uncappedScores
  }

  static let references = [
    Reference(model: "llama", file: "expected"),
    Reference(model: "llama3-rope-fp16", file: "expected"),
    Reference(model: "mistral-sliding", file: "expected"),
    Reference(model: "phi3", file: "expected"),
    Reference(model: "gemma2", file: "expected", peculiarity: .uncappedScores),
    Reference(model: "gemma2", file: "expected-eager"),
    Reference(model: "gemma3", file: "expected"),
    Reference(model: "qwen3", file: "expected"),
    Reference(model: "mixtral", file: "expected"),
    Reference(model: "qwen2-moe", file: "expected"),
    Reference(model: "qwen3-moe", file: "expected"),
    Reference(model: "qwen2", file: "expected"),
    Reference(model: "qwen2-tied-sharded-bf16", file: "expected", peculiarity: .roundedFrequencies),
    Reference(model: "qwen2-tied-sharded-bf16", file: "expected-from-pretrained"),
  ]

  /// The logits' standard deviation is about 1; float32 sums in another order differ by some 1e-6.
  private static let tolerance: Float = 1e-3

  private static func roundedToBFloat16(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF_0000)
  }

  @Test("Hidden states and logits are those of the reference", arguments: references)
  func agreesWithTransformers(_ reference: Reference) throws {
    let folder = ModelFixtures.folder.appending(component: reference.model)
    let expected = try SafetensorsFile(folder.appending(component: reference.file + ".safetensors"))
    var configuration = try ModelConfiguration(folder: folder)
    switch reference.peculiarity {
    case .roundedFrequencies: configuration.rotary.frequencies = configuration.rotary.frequencies.map(Self.roundedToBFloat16)
    case .uncappedScores: configuration.scoreCap = nil
    case nil: break
    }
    let checkpoint = try CheckpointFolder(folder)
    let model = try CausalLanguageModel(configuration, from: checkpoint)
    let tokens: [Int32] = try ModelFixtures.values("input_ids", of: expected)
    let length = try #require(expected.tensors.first { $0.name == "input_ids" }).shape[1]

    var hidden = Matrix<Float>(rows: tokens.count, columns: configuration.hiddenSize)
    try hidden.withMutableView { try model.embed(tokens, into: $0) }
    for index in 0..<configuration.blockCount {
      #expect(try ModelFixtures.difference(hidden, "hidden.\(index)", expected) < Self.tolerance, "before block \(index)")
      let block = try DecoderBlock(index, of: configuration, from: checkpoint, length: length)
      hidden.withMutableView { block.forward($0) }
    }
    let normalized = hidden.withView { model.normalize($0) }
    #expect(try ModelFixtures.difference(normalized, "hidden.\(configuration.blockCount)", expected) < Self.tolerance)
    let logits = try model.logits(normalized)
    #expect(try ModelFixtures.difference(logits, "logits", expected) < Self.tolerance)

    let targets = Array(tokens.dropFirst() + [0])
    let likelihoods = try model.negativeLogLikelihoods(normalized, targets: targets)
    for token in targets.indices {
      let row = (0..<logits.columns).map { Double(logits[token, $0]) }
      let expected = log(row.map(exp).reduce(0, +)) - row[Int(targets[token])]
      #expect(abs(likelihoods[token] - expected) < 1e-5)  // float32 exponentials
    }
  }
}
