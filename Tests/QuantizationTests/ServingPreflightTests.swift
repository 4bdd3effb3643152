import Quantization
import StrictJSON
import Testing
import Transformer

/// Against vLLM's rules, worked out by hand for the shapes of published models.
@Suite struct ServingPreflightTests {
  private static func configuration(hidden: Int, inner: Int, heads: Int, keyValueHeads: Int) throws -> ModelConfiguration {
    try ModelConfiguration([
      "model_type": "qwen2", "hidden_size": .integer(Int64(hidden)), "intermediate_size": .integer(Int64(inner)),
      "num_hidden_layers": 1, "num_attention_heads": .integer(Int64(heads)), "num_key_value_heads": .integer(Int64(keyValueHeads)),
      "vocab_size": 1000, "max_position_embeddings": 1024,
    ])
  }

  private static var qwen2: ModelConfiguration {
    get throws { try configuration(hidden: 3584, inner: 18944, heads: 28, keyValueHeads: 4) }
  }

  @Test("Qwen2-7B runs on one, two and four GPUs; on eight not, for its 28 heads")
  func qwen2() throws {
    let preflight = ServingPreflight(try Self.qwen2, QuantizationPlan(QuantizationOptions()))
    #expect(preflight.isMet)
    #expect(preflight.warnings.isEmpty)
    #expect(preflight.divisions.map(\.size) == [1, 2, 4, 8])
    #expect(preflight.divisions.map { $0.obstacles.isEmpty } == [true, true, true, false])
    #expect(preflight.divisions[3].obstacles == ["28 attention heads can't be divided by 8"])
  }

  @Test("Qwen2.5-0.5B: 14 heads on two GPUs leave 448 inputs of o_proj, no multiple of 128")
  func smallQwen() throws {
    let configuration = try Self.configuration(hidden: 896, inner: 4864, heads: 14, keyValueHeads: 2)
    let preflight = ServingPreflight(configuration, QuantizationPlan(QuantizationOptions(groupSize: 128)))
    #expect(preflight.isMet)
    #expect(
      preflight.divisions[1].obstacles == [
        "o_proj has 448 input channels on each GPU, not a multiple of 128",
        "o_proj has 448 input channels on each GPU, not a multiple of group_size 128",
      ])
  }

  @Test("Repeated key and value heads count on each GPU")
  func repeatsHeads() throws {
    // 8 GPUs: 4 of 32 heads each, and one of the 4 key heads on two GPUs; (4 + 2) · 32 = 192 = 3 · 64.
    let configuration = try Self.configuration(hidden: 1024, inner: 8192, heads: 32, keyValueHeads: 4)
    #expect(ServingPreflight(configuration, QuantizationPlan(QuantizationOptions())).divisions[3].obstacles.isEmpty)
    // (4 + 2) · 16 = 96.
    let narrow = try Self.configuration(hidden: 512, inner: 8192, heads: 32, keyValueHeads: 4)
    #expect(
      ServingPreflight(narrow, QuantizationPlan(QuantizationOptions(groupSize: 64))).divisions[3].obstacles.first
        == "qkv_proj has 96 output channels on each GPU, not a multiple of 64")
  }

  @Test(
    "Each rule is told by its name",
    arguments: [
      (QuantizationOptions(bits: 3), "bits must be 4 or 8 (3)"),
      (QuantizationOptions(isSymmetric: false), "sym must be true (false)"),
      (QuantizationOptions(groupSize: 256), "group_size must be -1, 32, 64 or 128 (256)"),
    ])
  func warnsOfOptions(_ options: QuantizationOptions, _ reason: String) throws {
    let preflight = ServingPreflight(try Self.qwen2, QuantizationPlan(options))
    #expect(!preflight.isMet)
    #expect(preflight.warnings.first?.contains(reason) == true, "\(preflight.warnings)")
    #expect(preflight.rules.count { !$0.isMet } == 1)
  }

  private static func plan(_ configuration: ModelConfiguration, _ rules: [ModuleRule], head: String? = nil) throws -> QuantizationPlan {
    try QuantizationPlan(
      QuantizationOptions(), rules: rules, modules: configuration.linears.map(\.name) + (head.map { [$0] } ?? []), head: head)
  }

  @Test("Modules that vLLM joins must be alike, which is told with their names")
  func warnsOfMixtures() throws {
    let configuration = try Self.qwen2
    let mixed = ServingPreflight(configuration, try Self.plan(configuration, [QuantizationPlanTests.rule("-:.*k_proj")]))
    #expect(mixed.rules.last?.found == "model.layers.0.self_attn.qkv_proj differ")
    #expect(mixed.warnings.count == 1 && mixed.transformersObstacles.isEmpty)
    // Damping is nothing that loaders know of.
    let damped = ServingPreflight(configuration, try Self.plan(configuration, [QuantizationPlanTests.rule("+:.*k_proj", damping: 0.1)]))
    #expect(damped.isMet && damped.warnings.isEmpty)
    let all = ServingPreflight(configuration, try Self.plan(configuration, [QuantizationPlanTests.rule("+:.*", bits: 8)]))
    #expect(all.isMet && all.transformersObstacles.count == 1)
    let whole = ServingPreflight(configuration, try Self.plan(configuration, [QuantizationPlanTests.rule("-:.*self_attn")]))
    #expect(whole.isMet && whole.warnings.isEmpty)
  }

  @Test("transformers reads one choice for all modules, and no quantized head")
  func warnsOfTransformers() throws {
    let configuration = try Self.qwen2
    let rules = [QuantizationPlanTests.rule("+:.*down_proj", bits: 8, groupSize: 64, isSymmetric: true, ordersByActivation: true)]
    let preflight = ServingPreflight(configuration, try Self.plan(configuration, rules, head: "lm_head"))
    #expect(preflight.isMet)
    #expect(
      preflight.transformersObstacles == [
        "modules differ from the others in bits, group_size, desc_act, and it reads one choice",
        "it reads no quantized lm_head and runs one of random weights",
      ])
    #expect(preflight.warnings.count == 1 && preflight.warnings[0].contains("transformers won't run this checkpoint"))
  }

  @Test("Experts have rules of their own: Qwen3-30B-A3B runs on four GPUs; on eight not, for its four key-value heads' size")
  func experts() throws {
    func preflight(inner: Int) throws -> ServingPreflight {
      let configuration = try ModelConfiguration([
        "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": .integer(Int64(inner)),
        "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": true, "num_hidden_layers": 1, "num_attention_heads": 32,
        "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 1000, "max_position_embeddings": 1024,
      ])
      return ServingPreflight(configuration, QuantizationPlan(QuantizationOptions()))
    }
    let published = try preflight(inner: 768)
    #expect(published.isMet && published.gptqModelObstacles.isEmpty)
    #expect(published.transformersObstacles == ["it reads no quantized experts and runs experts of random weights"])
    #expect(published.divisions.map { $0.obstacles.isEmpty } == [true, true, false, false])
    // 768 / 4 = 192 = 3 · 64, but no multiple of 128.
    #expect(published.divisions[2].obstacles == ["experts' down_proj has 192 input channels on each GPU, not a multiple of group_size 128"])
    let narrow = try preflight(inner: 96)
    #expect(
      narrow.rules.filter { !$0.isMet }.map(\.found) == [
        "experts' gate_up_proj has 192", "experts' down_proj has 96", "experts' down_proj has 96",
      ])
  }

  @Test(
    "What GPTQModel refuses is told",
    arguments: [
      (QuantizationOptions(groupSize: 1024), ["whose last group is shorter"]),
      (QuantizationOptions(groupSize: 48), ["whose last group is shorter", "group_size 48 is not one of -1, 16, 32"]),
      (QuantizationOptions(isSymmetric: false), ["asymmetric"]),
      (QuantizationOptions(isSymmetric: false, format: .v2), []),
      (QuantizationOptions(), []),
    ] as [(QuantizationOptions, [String])])
  func warnsOfGPTQModel(_ options: QuantizationOptions, _ reasons: [String]) throws {
    let obstacles = ServingPreflight(try Self.qwen2, QuantizationPlan(options)).gptqModelObstacles
    #expect(obstacles.count == reasons.count)
    for reason in reasons { #expect(obstacles.contains { $0.contains(reason) }, "\(obstacles)") }
  }

  @Test("SmolLM2's 576 channels are told, with the linears that have them")
  func warnsOfShapes() throws {
    let configuration = try Self.configuration(hidden: 576, inner: 1536, heads: 9, keyValueHeads: 3)
    let preflight = ServingPreflight(configuration, QuantizationPlan(QuantizationOptions(groupSize: 64)))
    #expect(
      preflight.warnings == [
        "vLLM's Marlin kernels won't run this checkpoint, only slower ones, or none: input channels must be multiples of 128 "
          + "(qkv_proj has 576, o_proj has 576, gate_up_proj has 576)"
      ])
    let whole = ServingPreflight(try Self.qwen2, QuantizationPlan(QuantizationOptions(groupSize: nil)))
    #expect(whole.isMet)
  }
}
