import Checkpoint
import Foundation
import Testing

/// Real files that transformers wrote (TransformerTests/Fixtures/models); the values are what python's safetensors 0.8.0 and numpy read.
@Suite struct GoldenCheckpointTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let model: String
    let tensor: String
    let shape: [Int]
    let first: [Float]
    let last: Float
    /// In double precision.
    let sum: Double
    var testDescription: String { "\(model), \(tensor)" }
  }

  static let plain = "qwen2"
  static let sharded = "qwen2-tied-sharded-bf16"

  private static func folder(_ model: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "TransformerTests/Fixtures/models/\(model)")
  }

  @Test(
    "Values are those of the reference reader",
    arguments: [
      Case(
        model: plain, tensor: "lm_head.weight", shape: [160, 64], first: [-0.19706878066062927, 0.17388182878494263],
        last: -0.06304992735385895, sum: 8.657568122465364),
      Case(
        model: plain, tensor: "model.layers.0.mlp.down_proj.weight", shape: [64, 96],
        first: [-0.04782821983098984, -0.03747713193297386], last: 0.08639568090438843, sum: 7.875934576499276),
      Case(
        model: plain, tensor: "model.norm.weight", shape: [64], first: [0.8010361194610596, 0.974452793598175], last: 1.087695837020874,
        sum: 63.874739825725555),
      Case(
        model: sharded, tensor: "model.embed_tokens.weight", shape: [160, 64], first: [0.04833984375, 0.1328125], last: 0.06298828125,
        sum: 16.896673679351807),
      Case(
        model: sharded, tensor: "model.layers.2.self_attn.v_proj.weight", shape: [32, 64], first: [0.17578125, -0.275390625],
        last: -0.021484375, sum: -1.0989599227905273),
      Case(
        model: sharded, tensor: "model.norm.weight", shape: [64], first: [0.80078125, 0.97265625], last: 1.0859375, sum: 63.8828125),
    ])
  func values(_ expected: Case) throws {
    let checkpoint = try CheckpointFolder(Self.folder(expected.model))
    let info = try checkpoint.info(expected.tensor)
    #expect(info.shape == expected.shape)
    #expect(info.type == (expected.model == Self.plain ? .float32 : .bfloat16))
    let values = try checkpoint.floats(expected.tensor)
    #expect(values.count == info.elementCount)
    #expect(Array(values.prefix(2)) == expected.first)
    #expect(values.last == expected.last)
    #expect(abs(values.reduce(0.0) { $0 + Double($1) } - expected.sum) < 1e-9)  // sums of doubles in another order
    #expect(try checkpoint.firstNonFinite(expected.tensor) == nil)
  }

  @Test(
    "Files and tensors are listed in order",
    arguments: [
      (plain, ["model.safetensors"], 39), (sharded, (1...4).map { "model-0000\($0)-of-00004.safetensors" }, 38),
    ])
  func listing(_ model: String, _ files: [String], _ tensorCount: Int) throws {
    let checkpoint = try CheckpointFolder(Self.folder(model))
    #expect(checkpoint.files == files)
    #expect(checkpoint.tensorNames.count == tensorCount)
    #expect(checkpoint.tensorNames == checkpoint.tensorNames.sorted())
    #expect(checkpoint.contains("model.norm.weight"))
    #expect(checkpoint.contains("lm_head.weight") == (model == Self.plain))
    #expect(!checkpoint.contains("none"))
    #expect(throws: CheckpointError.missingTensor("none")) { try checkpoint.info("none") }
    #expect(throws: CheckpointError.missingTensor("none")) { try checkpoint.floats("none") }
    #expect(throws: CheckpointError.missingTensor("none")) { try checkpoint.firstNonFinite("none") }
  }

  @Test("Released pages read the same again", arguments: [plain, sharded])
  func release(_ model: String) throws {
    let checkpoint = try CheckpointFolder(Self.folder(model))
    let before = try checkpoint.floats("model.embed_tokens.weight")
    checkpoint.releaseCachedPages(of: "model.embed_tokens.weight")
    checkpoint.releaseCachedPages(of: "none")
    #expect(try checkpoint.floats("model.embed_tokens.weight") == before)
  }

  @Test("A file copied tensor by tensor reads the same", arguments: [plain])
  func copy(_ model: String) throws {
    let original = try SafetensorsFile(Self.folder(model).appending(component: "model.safetensors"))
    let folder = try TemporaryFolder()
    var writer = try SafetensorsWriter(folder.file("model.safetensors"), tensors: original.tensors, metadata: original.metadata)
    for tensor in original.tensors { try original.withBytes(of: tensor.name) { try writer.write($0, of: tensor.name) } }
    try writer.finish()
    let copy = try SafetensorsFile(folder.file("model.safetensors"))
    #expect(copy.tensors == original.tensors)
    #expect(copy.metadata == original.metadata)
    for tensor in original.tensors {
      #expect(try copy.withBytes(of: tensor.name) { Array($0) } == original.withBytes(of: tensor.name) { Array($0) })
    }
  }
}
