import Checkpoint
import Foundation
import Quantization
import Testing
import Transformer

/// A tiny model of every architecture, quantized.
@Suite struct ArchitectureQuantizationTests {
  static let models = [
    "llama", "llama3-rope-fp16", "mistral-sliding", "phi3", "gemma2", "gemma3", "qwen2", "qwen2-tied-sharded-bf16", "qwen3", "mixtral",
    "qwen2-moe", "qwen3-moe",
  ]

  static func perplexity(_ configuration: ModelConfiguration, _ weights: some TensorSource) throws -> Double {
    let scratch = try TemporaryFolder()
    return try Perplexity(
      of: configuration, weights: weights, on: TokenSequences(length: 40, tokens: TinyModel.rows(6, length: 40).flatMap { $0 }),
      scratch: scratch.url, checkCancellation: {}, report: { _ in }
    ).value
  }

  @Test("An independent reader of the checkpoint finds the perplexity that is reported, and all work was counted", arguments: models)
  func quantizes(_ model: String) throws {
    let folder = TinyModel.folder.deletingLastPathComponent().appending(component: model)
    // Longer than the sliding windows of 16 tokens.
    let data = try TinyModel.data(TinyModel.rows(8, length: 40))
    let options = QuantizationOptions(groupSize: 32)
    let run = try QuantizationRun(folder, options: options, calibration: data)
    let configuration = run.quantizer.configuration

    #expect(run.outcomes.count == configuration.linears.count)
    #expect(run.outcomes.allSatisfy { $0.method == .gptq && ($0.relativeLoss ?? 1) < 0.1 })
    let reported = try Self.perplexity(configuration, QuantizedCheckpoint(run.artifact, format: options.format))
    let read = try Self.perplexity(configuration, IndependentReader(run.artifact))
    #expect(abs(read / reported - 1) < 0.005)
    let dense = try Self.perplexity(configuration, run.quantizer.checkpoint)
    #expect(read != dense)
    let announced = WorkEstimate(configuration, plan: run.quantizer.plan).quantization(data.initial)
    #expect(abs(run.observer.work / (announced + run.observer.moreWork) - 1) < 1e-9)
  }
}
