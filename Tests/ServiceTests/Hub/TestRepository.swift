import Crypto
import Foundation

/// A repository as an honest Hub serves it.
struct TestRepository: Sendable {
  var name = "org/model"
  var commit = "0123456789abcdef0123456789abcdef01234567"
  var files: [String: Data]
  /// Listed by git's SHA-1 as the Hub does small files; others by SHA-256.
  var plain: Set = ["config.json", "generation_config.json", "model.safetensors.index.json"]

  /// One file of weights of so many bytes, with what surrounds it in repositories.
  init(_ name: String = "org/model", weights: Int = 300_000) {
    self.name = name
    files = [
      "config.json": Data(#"{"model_type": "qwen2"}"#.utf8), "generation_config.json": Data("{}".utf8),
      "tokenizer.json": Data("{\"t\": 1}".utf8), "model.safetensors": Self.bytes(weights), "README.md": Data("read".utf8),
      "pytorch_model.bin": Data("pickle".utf8), "model.onnx": Data("onnx".utf8), "original/consolidated.00.pt": Data("pt".utf8),
      "consolidated.safetensors": Data("double".utf8),
    ]
  }

  static func bytes(_ count: Int, seed: Int = 31) -> Data { Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* seed >> 5 ^ $0) }) }

  /// Weights in several files, with an index.
  mutating func shard(into count: Int, bytes: Int) {
    files["model.safetensors"] = nil
    var map: [String] = []
    for number in 1...count {
      let file = "model-0000\(number)-of-0000\(count).safetensors"
      files[file] = Self.bytes(bytes, seed: 31 + number)
      map.append("\"tensor\(number)\": \"\(file)\"")
    }
    files["model.safetensors.index.json"] = Data("{\"metadata\": {}, \"weight_map\": {\(map.joined(separator: ", "))}}".utf8)
  }

  var needed: [String] {
    files.keys.filter { ["json"].contains($0.split(separator: ".").last) || $0.hasPrefix("model") && $0.hasSuffix(".safetensors") }.sorted()
  }

  static func sha256(_ data: Data) -> String {
    SHA256.hash(data: data).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func git(_ data: Data) -> String {
    Insecure.SHA1.hash(data: Data("blob \(data.count)\0".utf8) + data).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
      .joined()
  }

  var siblings: [String] {
    files.sorted { $0.key < $1.key }.map { name, data in
      let lfs = #", "lfs": {"sha256": "\#(Self.sha256(data))", "size": \#(data.count), "pointerSize": 134}"#
      return #"{"rfilename": "\#(name)", "size": \#(data.count), "blobId": "\#(Self.git(data))"\#(plain.contains(name) ? "" : lfs)}"#
    }
  }

  var listing: String { listing(siblings) }

  func listing(_ siblings: [String]) -> String {
    #"{"id": "\#(name)", "sha": "\#(commit)", "siblings": [\#(siblings.joined(separator: ", "))]}"#
  }

  /// nil where the request is of another repository.
  func answer(_ request: ScriptedHub.Request) -> ScriptedHub.Answer? {
    if request.path.hasPrefix("/api/models/\(name)/revision/") {
      let revision = request.path.split(separator: "/").last ?? ""
      guard ["main", commit, "v1%2Fx"].contains(String(revision)) else { return .error(404, ["X-Error-Code": "RevisionNotFound"]) }
      return .json(listing)
    }
    let prefix = "/\(name)/resolve/\(commit)/"
    guard request.path.hasPrefix(prefix) else { return nil }
    guard let data = files[String(request.path.dropFirst(prefix.count))] else { return .error(404, ["X-Error-Code": "EntryNotFound"]) }
    guard request.offset > 0 else { return .init(headers: ["ETag": "\"x\"", "Accept-Ranges": "bytes"], body: data) }
    return .init(
      status: 206, headers: ["Content-Range": "bytes \(request.offset)-\(data.count - 1)/\(data.count)"],
      body: Data(data.dropFirst(request.offset)))
  }
}

extension [TestRepository] {
  func answer(_ request: ScriptedHub.Request) -> ScriptedHub.Answer {
    for repository in self {
      if let answer = repository.answer(request) { return answer }
    }
    return .error(404, ["X-Error-Code": "RepoNotFound"])
  }
}
