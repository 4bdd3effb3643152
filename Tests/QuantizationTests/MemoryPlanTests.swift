import Foundation
import LinearAlgebra
import Quantization
import StrictJSON
import Testing
import Transformer

@Suite struct MemoryPlanTests {
  private func qwen2(blocks: Int) throws -> ModelConfiguration {
    try ModelConfiguration([
      "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": .integer(Int64(blocks)),
      "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152_064, "max_position_embeddings": 32_768,
      "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "tie_word_embeddings": false,
    ])
  }

  private func plan(_ configuration: ModelConfiguration, samples: Int = 128, limit: Int?) throws -> MemoryPlan {
    try MemoryPlan(
      configuration, plan: QuantizationPlan(QuantizationOptions(groupSize: 128)), samples: samples, length: 2048,
      recovery: RecoveryPolicy(), limit: limit)
  }

  @Test("With less memory, more is computed twice and more is on disk; then the least that is needed is told")
  func adapts() throws {
    let configuration = try qwen2(blocks: 28)
    let most = try plan(configuration, limit: nil)
    #expect(most.keepsInnerActivations && !most.spoolsToDisk && most.diskBytes == 0)
    var previous = most
    var kinds = [[most.keepsInnerActivations, most.spoolsToDisk]]
    while let next = try? plan(configuration, limit: previous.bytes - 1) {
      #expect(next.bytes < previous.bytes)
      kinds.append([next.keepsInnerActivations, next.spoolsToDisk])
      previous = next
    }
    #expect(kinds.starts(with: [[true, false], [false, false], [false, true]]))
    // Two streams' hidden states and attention outputs in float32.
    #expect(previous.diskBytes == 2 * 128 * 2048 * 2 * 3584 * 4)
    let error = #expect(throws: QuantizationError.self) { try plan(configuration, limit: previous.bytes - 1) }
    #expect(error == .memoryLimit(limit: previous.bytes - 1, needed: previous.bytes))
    #expect(error?.description.contains("\(previous.bytes)") == true, "\(error.map(\.description) ?? "")")
    #expect(previous.bytes < 8 << 30)
  }

  @Test("Memory doesn't depend on the number of blocks")
  func isThatOfOneBlock() throws {
    #expect(try plan(qwen2(blocks: 1), limit: nil).bytes == plan(qwen2(blocks: 80), limit: nil).bytes)
  }

  @Test("A rank holds its part of the tokens, and what is on its way to others")
  func dividesAmongRanks() throws {
    let configuration = try qwen2(blocks: 2)
    func plan(ranks: Int) throws -> MemoryPlan {
      try MemoryPlan(
        configuration, plan: QuantizationPlan(QuantizationOptions(groupSize: 128)), samples: 512, length: 2048, recovery: RecoveryPolicy(),
        ranks: ranks, limit: nil)
    }
    let (one, two, four) = try (plan(ranks: 1), plan(ranks: 2), plan(ranks: 4))
    // Two streams of 2048-token sequences in float32: hidden states, attention outputs, inner activations.
    let tokens = 2 * 512 * 2048 * (2 * 3584 + 18_944) * 4
    #expect(two.bytes - four.bytes == tokens / 4)
    let exchanged = two.bytes - (one.bytes - tokens / 2)
    // Twice 256 MiB of sums, and quantized rows of some hundred MB.
    #expect(exchanged > 512 << 20 && exchanged < 1 << 30, "\(exchanged)")
  }

  @Test("Samples that a starved layer goes on to are part of the plan")
  func countsEscalation() throws {
    let configuration = try qwen2(blocks: 2)
    // 18944 columns want 37888 tokens: more than 8 sequences of 2048, for which the policy goes on to 256.
    #expect(try plan(configuration, samples: 8, limit: nil).bytes == plan(configuration, samples: 256, limit: nil).bytes)
    #expect(try plan(configuration, samples: 20, limit: nil).bytes < plan(configuration, samples: 256, limit: nil).bytes)
  }

  @Test("Whatever is kept, computed twice or put on disk, and however many cores compute, the bytes are the same")
  func sameBytes() throws {
    let rows = TinyModel.rows(300)
    let options = QuantizationOptions(groupSize: 32)
    func revision(limit: Int?) throws -> String {
      let run = try QuantizationRun(TinyModel.folder, options: options, calibration: TinyModel.data(rows), memoryLimit: limit)
      return try ArtifactDigest(of: run.artifact, checkCancellation: {}).revision
    }
    let configuration = try ModelConfiguration(folder: TinyModel.folder)
    var limits: [Int?] = [nil]
    func plan(_ limit: Int?) throws -> MemoryPlan {
      try MemoryPlan(
        configuration, plan: QuantizationPlan(options), samples: rows.count, length: rows[0].count,
        recovery: RecoveryPolicy(escalation: []), limit: limit)
    }
    while let next = try? plan((limits.last ?? nil).map { try plan($0).bytes - 1 } ?? plan(nil).bytes - 1) { limits.append(next.bytes) }
    #expect(limits.count >= 3)
    let whole = try revision(limit: nil)
    for limit in limits.dropFirst() { #expect(try revision(limit: limit) == whole, "\(limit ?? 0)") }
    // Process-wide, so tests that run at the same time compute on as many; none depends on it.
    for cores in [1, 3, 200] {
      Cores.perJob = cores
      defer { Cores.perJob = 0 }
      #expect(try revision(limit: nil) == whole, "\(cores) cores")
    }
  }

  @Test("A job that may use too little memory says how much it needs")
  func refuses() throws {
    let error = #expect(throws: QuantizationError.self) {
      try QuantizationRun(
        TinyModel.folder, options: QuantizationOptions(groupSize: 32), calibration: TinyModel.data(TinyModel.rows(8)), memoryLimit: 1 << 20)
    }
    guard case .memoryLimit(1_048_576, let needed) = error else {
      Issue.record("\(error.map(\.description) ?? "no error")")
      return
    }
    #expect(needed > 1 << 20)
  }

  @Test("The disk estimate is what the job writes", arguments: [4, 3, 8])
  func estimatesDisk(bits: Int) throws {
    let run = try QuantizationRun(
      TinyModel.folder, options: QuantizationOptions(bits: bits, groupSize: 32), calibration: TinyModel.data(TinyModel.rows(8)))
    let estimate = try DiskEstimate(run.quantizer, spools: 1000)
    let tensors = try FileManager.default.attributesOfItem(atPath: run.artifact.appending(component: "model.safetensors").path)
    let size = try #require(tensors[.size] as? Int)
    // Headers aside: some 100 bytes for each of 130 tensors.
    #expect(estimate.artifact <= size && size - estimate.artifact < 20_000, "\(estimate.artifact) of \(size)")
    #expect(estimate.peak > estimate.artifact + 1000)
  }
}
