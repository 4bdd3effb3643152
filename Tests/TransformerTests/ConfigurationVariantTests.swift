import Checkpoint
import Foundation
import LinearAlgebra
import StrictJSON
import Testing
import Transformer

/// The tiny checkpoints with other fields in config.json, and the logits that transformers 5.23 (eager attention) computes then.
@Suite struct ConfigurationVariantTests {
  struct Variant: Sendable, CustomTestStringConvertible {
    let name: String
    let model: String
    /// Members of config.json; null removes one, but for `sliding_window`, for which null means that there is none.
    let changes: JSONObject
    var testDescription: String { name }
  }

  static let variants: [Variant] = {
    guard let data = try? Data(contentsOf: ModelFixtures.folder.appending(component: "variants.json")),
      let entries = (try? JSONValue(parsing: Array(data)))?.arrayValue
    else { return [] }
    return entries.compactMap { entry in
      guard let name = entry["name"]?.stringValue, let model = entry["model"]?.stringValue, let changes = entry["changes"]?.objectValue
      else { return nil }
      return Variant(name: name, model: model, changes: changes)
    }
  }()

  @Test func allVariantsAreThere() { #expect(Self.variants.count == 14) }

  @Test("Logits are those of the reference", arguments: variants)
  func agreesWithTransformers(_ variant: Variant) throws {
    let folder = ModelFixtures.folder.appending(component: variant.model)
    var json = try ModelConfiguration(folder: folder).json
    for (name, value) in variant.changes.members { json[name] = value.isNull && name != "sliding_window" ? nil : value }
    let configuration = try ModelConfiguration(.object(json))
    let checkpoint = try CheckpointFolder(folder)
    let model = try CausalLanguageModel(configuration, from: checkpoint)
    let expected = try SafetensorsFile(folder.appending(component: "expected.safetensors"))
    let length = try #require(expected.tensors.first { $0.name == "input_ids" }).shape[1]
    let tokens: [Int32] = Array(try ModelFixtures.values("input_ids", of: expected).prefix(length))

    var hidden = Matrix<Float>(rows: length, columns: configuration.hiddenSize)
    try hidden.withMutableView { try model.embed(tokens, into: $0) }
    for index in 0..<configuration.blockCount {
      let block = try DecoderBlock(index, of: configuration, from: checkpoint, length: length)
      hidden.withMutableView { block.forward($0) }
    }
    let logits = try model.logits(hidden.withView { model.normalize($0) })
    let references = try SafetensorsFile(ModelFixtures.folder.appending(component: "variants.safetensors"))
    // Every change moves some logit by more than 0.3; float32 sums in another order by some 1e-6.
    #expect(try ModelFixtures.difference(logits, variant.name, references) < 1e-3)
  }
}
