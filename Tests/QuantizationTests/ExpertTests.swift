import Checkpoint
import Foundation
import Quantization
import StrictJSON
import Testing
import Transformer

/// Mixtures of experts whose router sends some experts few tokens or none.
@Suite struct ExpertTests {
  /// Three tokens reach the last expert of the first block, none that of the second.
  ///
  /// The first two experts' scores are opposite, so one of them is chosen for every token; the other is below the third's 0. The
  /// last one's score is 0 too, which is chosen after the third's, but for the token whose embedding has a channel of its own.
  private static func write(to folder: URL) throws {
    let model = TinyModel.folder.deletingLastPathComponent().appending(component: "mixtral")
    try TinyModel.write(model, to: folder) { name, values in
      let ownChannel = 63
      switch name {
      case "model.embed_tokens.weight":
        for token in 0..<160 { values[token * 64 + ownChannel] = token == 137 ? 1 : 0 }
      case "model.layers.0.self_attn.o_proj.weight":
        for column in 0..<64 { values[ownChannel * 64 + column] = 0 }
      case "model.layers.0.block_sparse_moe.gate.weight", "model.layers.1.block_sparse_moe.gate.weight":
        values = [Float](repeating: 0, count: 4 * 64)
        (values[0], values[64]) = (100, -100)
        if name.contains("layers.0") { values[3 * 64 + ownChannel] = 100 }
      default: break
      }
    }
  }

  private static let rows = 10
  private static let options = QuantizationOptions(groupSize: 32)

  private static func run(
    _ recovery: RecoveryPolicy, rows: Int = rows, samples: Int? = nil, options: QuantizationOptions = options, memoryLimit: Int? = nil
  ) throws -> QuantizationRun {
    let folder = try TemporaryFolder()
    try write(to: folder.url)
    return try QuantizationRun(
      folder.url, options: options, calibration: TinyModel.data(TinyModel.rows(rows, length: 40), samples: samples), recovery: recovery,
      memoryLimit: memoryLimit)
  }

  private static func experts(_ run: QuantizationRun, block: Int) -> [LayerOutcome] {
    run.outcomes.filter { $0.layer.name.hasPrefix("model.layers.\(block).block_sparse_moe.experts.") }
  }

  @Test("Starved experts are filled up from all tokens, recorded and named, and finite")
  func completesStarvedExperts() throws {
    let run = try Self.run(RecoveryPolicy(escalation: []))
    let experts = Self.experts(run, block: 0) + Self.experts(run, block: 1)
    #expect(experts.count == 24)
    for (block, tokens) in [(0, 3), (1, 0)] {
      for linear in ["w1", "w2", "w3"] {
        let outcome = try #require(run.outcome("model.layers.\(block).block_sparse_moe.experts.3.\(linear)"))
        #expect(outcome.tokens == tokens)
        #expect(outcome.method == .gptq)
        #expect(outcome.degradedBy == nil)
        let attempt = try #require(outcome.attempts.first)
        #expect(attempt.cause == .starved)
        #expect(attempt.remedy == .allTokens)
        let shortage = "\(tokens) tokens for \(outcome.layer.inputs) columns, \(2 * outcome.layer.inputs) are wanted"
        #expect(attempt.detail?.contains(shortage) == true, "\(attempt.detail ?? "")")
        #expect(
          run.observer.warnings.contains {
            $0.contains(linear) && $0.contains("model.layers.\(block).block_sparse_moe.experts.3 (\(shortage))")
          })
      }
    }
    let result = try QuantizedCheckpoint(run.artifact, format: Self.options.format)
    for outcome in experts {
      let weights = try result.matrix(outcome.layer.name + ".weight", rows: outcome.layer.outputs, columns: outcome.layer.inputs)
      #expect(!weights.elements.contains { !$0.isFinite })
      #expect((outcome.relativeLoss ?? 1) < 0.2)
    }
    // Every token goes to two of four experts.
    let gates = experts.prefix(8).filter { $0.layer.name.hasSuffix(".w1") }
    #expect(gates.map(\.tokens).reduce(0, +) == 2 * gates[0].samples * 40)
  }

  @Test("More calibration rows come first")
  func escalates() throws {
    let run = try Self.run(RecoveryPolicy(escalation: [10]), rows: 10, samples: 6)
    let outcome = try #require(run.outcome("model.layers.0.block_sparse_moe.experts.3.w1"))
    #expect(outcome.attempts.prefix(2).map(\.remedy) == [.moreSamples, .allTokens])
    #expect(run.result.samples == 10)
  }

  @Test(
    "The policy may leave starved experts uncalibrated; they are degraded and named",
    arguments: [
      (RecoveryPolicy.StarvedExpert.rtn, LayerOutcome.Method.rtn), (.keep, .keep),
    ])
  func leavesStarvedExperts(_ policy: RecoveryPolicy.StarvedExpert, _ method: LayerOutcome.Method) throws {
    let run = try Self.run(RecoveryPolicy(escalation: [], starvedExperts: policy))
    let left = run.outcomes.filter { $0.method == method }
    #expect(!left.isEmpty)
    #expect(left.allSatisfy { $0.degradedBy == .starved && $0.layer.name.contains("experts") })
    #expect(left.allSatisfy { outcome in run.observer.warnings.contains { $0.contains(outcome.layer.name + " is degraded") } })
    let stored = try CheckpointFolder(run.artifact)
    #expect(left.allSatisfy { stored.contains($0.layer.name + ".weight") == (method == .keep) })
  }

  @Test("Routers stay as they are, and loaders are told")
  func keepsRouters() throws {
    let run = try Self.run(RecoveryPolicy(escalation: []))
    let router = "model.layers.0.block_sparse_moe.gate"
    #expect(try CheckpointFolder(run.artifact).floats(router + ".weight") == run.quantizer.checkpoint.floats(router + ".weight"))
    let json = try JSONValue(parsing: Array(Data(contentsOf: run.artifact.appending(component: "quantize_config.json"))))
    #expect(json["dynamic"]?.objectValue?.keys.contains("-:^model\\.layers\\.\\d+\\.block_sparse_moe\\.gate$") == true)
  }

  @Test("With memory for one expert at a time the result is the same", arguments: [[], [10]])
  func boundsMemory(_ escalation: [Int]) throws {
    let recovery = RecoveryPolicy(escalation: escalation)
    let samples = escalation.isEmpty ? Self.rows : 6
    let free = try Self.run(recovery, samples: samples)
    #expect(free.result.samples == Self.rows)
    let configuration = free.quantizer.configuration
    let error = try #require(throws: QuantizationError.self) {
      try MemoryPlan(
        configuration, plan: QuantizationPlan(Self.options), samples: samples, length: 40, recovery: recovery, limit: 1)
    }
    guard case .memoryLimit(_, let needed) = error else { throw error }
    let tight = try Self.run(recovery, samples: samples, memoryLimit: needed)
    func attempts(_ run: QuantizationRun) -> [String] {
      run.observer.attempts.map { "\($0.layer) \($0.attempt.detail ?? "") \($0.attempt.tokens)" }
    }
    #expect(attempts(free) == attempts(tight))
    func bytes(_ run: QuantizationRun) throws -> Data { try Data(contentsOf: run.artifact.appending(component: "model.safetensors")) }
    #expect(try bytes(free) == bytes(tight))
  }
}
