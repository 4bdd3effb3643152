import Checkpoint
import Foundation
import Testing

@Suite struct HostileFolderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let index: String
    /// Tensors of the shards that are there.
    let shards: [String: [String]]
    let error: CheckpointError

    init(_ what: String, index: String, shards: [String: [String]] = [:], _ error: CheckpointError) {
      testDescription = what
      self.index = index
      self.shards = shards
      self.error = error
    }

    static func badName(_ what: String, json: String, name: String) -> Case {
      Case(
        "shard name with \(what)", index: "{\"weight_map\": {\"a\": \"\(json)\"}}",
        .invalidIndex(reason: "names \"\(name)\" for tensor a, which isn't a plain .safetensors file name"))
    }
  }

  @Test(
    "An index that doesn't fit its shards is refused",
    arguments: [
      Case(
        "not JSON", index: "{\"weight_map\": {",
        .invalidIndex(reason: "is not valid JSON at line 1, column 17: expected a member name in quotes")),
      Case("an array", index: "[]", .invalidIndex(reason: "has no object weight_map")),
      Case("no weight_map", index: "{\"metadata\": {}}", .invalidIndex(reason: "has no object weight_map")),
      Case("weight_map an array", index: "{\"weight_map\": [\"a\"]}", .invalidIndex(reason: "has no object weight_map")),
      Case("weight_map empty", index: "{\"weight_map\": {}}", .invalidIndex(reason: "has an empty weight_map")),
      Case("a number for a shard", index: "{\"weight_map\": {\"a\": 1}}", .invalidIndex(reason: "has no file name for tensor a")),
      Case(
        "a tensor promised twice", index: "{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"2.safetensors\"}}",
        .invalidIndex(reason: "is not valid JSON at line 1, column 39: the member \"a\" appears twice")),
      .badName("a folder", json: "x/1.safetensors", name: "x/1.safetensors"),
      .badName("a parent folder", json: "../1.safetensors", name: "../1.safetensors"),
      .badName("an absolute path", json: "/etc/1.safetensors", name: "/etc/1.safetensors"),
      .badName("a slash that carries a combining mark", json: "..\\u002f\\u0338/../1.safetensors", name: "../\u{338}/../1.safetensors"),
      .badName("only such a slash", json: "..\\u002f\\u0338.safetensors", name: "../\u{338}.safetensors"),
      .badName("a zero byte", json: "1.safetensors\\u0000.safetensors", name: "1.safetensors\0.safetensors"),
      .badName("only the parent folder", json: "..", name: ".."),
      .badName("nothing", json: "", name: ""),
      .badName("another extension", json: "pytorch_model.bin", name: "pytorch_model.bin"),
      Case(
        "a missing shard",
        index: "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\", \"c\": \"2.safetensors\"}}",
        shards: ["1.safetensors": ["a"]], .missingShard(file: "2.safetensors", tensors: 2)),
      Case(
        "a tensor that its shard lacks", index: "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"1.safetensors\"}}",
        shards: ["1.safetensors": ["a"]], .missingFromShard(tensor: "b", file: "1.safetensors")),
      Case(
        "a tensor in another shard", index: "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}",
        shards: ["1.safetensors": ["b"], "2.safetensors": ["a"]], .missingFromShard(tensor: "a", file: "1.safetensors")),
      Case(
        "a tensor in two shards", index: "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}",
        shards: ["1.safetensors": ["a"], "2.safetensors": ["a", "b"]],
        .doubledTensor("a", files: ["1.safetensors", "2.safetensors"])),
    ])
  func index(_ hostile: Case) throws {
    let folder = try TemporaryFolder()
    try folder.write(Array(hostile.index.utf8), to: "model.safetensors.index.json")
    for (name, tensors) in hostile.shards { try folder.write(SafetensorsBytes(tensors: tensors).bytes, to: name) }
    #expect(throws: hostile.error) { try CheckpointFolder(folder.url) }
  }

  @Test("A damaged shard is named")
  func damagedShard() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("{\"weight_map\": {\"a\": \"1.safetensors\"}}".utf8), to: "model.safetensors.index.json")
    try folder.write([1, 2, 3], to: "1.safetensors")
    #expect(throws: CheckpointError.tooShort(file: "1.safetensors", bytes: 3)) { try CheckpointFolder(folder.url) }
  }

  @Test("A folder without weights, or none at all, is refused")
  func noWeights() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], to: "pytorch_model.bin")
    #expect(throws: CheckpointError.noWeights(folder: folder.url.lastPathComponent)) { try CheckpointFolder(folder.url) }
    #expect(throws: CheckpointError.noWeights(folder: "none")) { try CheckpointFolder(folder.file("none")) }
  }

  @Test("Hundreds of shards are open at once without holding descriptors")
  func manyShards() throws {
    let folder = try TemporaryFolder()
    let count = 300
    let files = (0..<count).map { "\($0).safetensors" }
    for (index, file) in files.enumerated() { try folder.write(SafetensorsBytes(tensors: ["t\(index)"]).bytes, to: file) }
    let map = files.enumerated().map { "\"t\($0)\": \"\($1)\"" }.joined(separator: ",")
    try folder.write(Array("{\"weight_map\": {\(map)}}".utf8), to: "model.safetensors.index.json")
    let checkpoint = try CheckpointFolder(folder.url)
    #expect(checkpoint.files == files.sorted())
    #expect(checkpoint.tensorNames.count == count)
    let path = folder.url.path
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    let held = descriptors.filter {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(path) == true
    }
    #expect(held.isEmpty)
    #expect(try checkpoint.floats("t299") == [0])
  }
}
