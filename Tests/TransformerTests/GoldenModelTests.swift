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
    /// The model had been converted to bfloat16 and back, rotary frequencies included; `from_pretrained`, vLLM and this project
    /// keep those in float32.
    var roundsFrequencies = false
    var testDescription: String { "\(model), \(file)" }
  }

  static let references = [
    Reference(model: "llama", file: "expected"),
    Reference(model: "qwen2", file: "expected"),
    Reference(model: "qwen2-tied-sharded-bf16", file: "expected", roundsFrequencies: true),
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
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/models/\(reference.model)")
    let expected = try SafetensorsFile(folder.appending(component: reference.file + ".safetensors"))
    var configuration = try ModelConfiguration(folder: folder)
    if reference.roundsFrequencies { configuration.rotaryFrequencies = configuration.rotaryFrequencies.map(Self.roundedToBFloat16) }
    let checkpoint = try CheckpointFolder(folder)
    let model = try CausalLanguageModel(configuration, from: checkpoint)
    let tokens: [Int32] = try values("input_ids", of: expected)
    let length = try #require(expected.tensors.first { $0.name == "input_ids" }).shape[1]

    var hidden = Matrix<Float>(rows: tokens.count, columns: configuration.hiddenSize)
    try hidden.withMutableView { try model.embed(tokens, into: $0) }
    for index in 0..<configuration.blockCount {
      #expect(try difference(hidden, "hidden.\(index)", expected) < Self.tolerance, "before block \(index)")
      let block = try DecoderBlock(index, of: configuration, from: checkpoint, length: length)
      hidden.withMutableView { block.forward($0) }
    }
    let normalized = hidden.withView { model.normalize($0) }
    #expect(try difference(normalized, "hidden.\(configuration.blockCount)", expected) < Self.tolerance)
    let logits = try model.logits(normalized)
    #expect(try difference(logits, "logits", expected) < Self.tolerance)

    let targets = Array(tokens.dropFirst() + [0])
    let likelihoods = try model.negativeLogLikelihoods(normalized, targets: targets)
    for token in targets.indices {
      let row = (0..<logits.columns).map { Double(logits[token, $0]) }
      let expected = log(row.map(exp).reduce(0, +)) - row[Int(targets[token])]
      #expect(abs(likelihoods[token] - expected) < 1e-5)  // float32 exponentials
    }
  }

  private func difference(_ found: Matrix<Float>, _ name: String, _ expected: SafetensorsFile) throws -> Float {
    let expected: [Float] = try values(name, of: expected)
    try #require(expected.count == found.elements.count)
    return zip(found.elements, expected).map { abs($0 - $1) }.reduce(0) { $1 > $0 || $1.isNaN ? $1 : $0 }
  }

  private func values<Value: BitwiseCopyable>(_ name: String, of file: SafetensorsFile) throws -> [Value] {
    try file.withBytes(of: name) { bytes in
      stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
    }
  }
}
