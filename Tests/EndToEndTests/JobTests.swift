import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

/// Jobs over HTTP through the whole daemon, engine included.
@Suite(.serialized) struct JobTests {
  private static func request(_ more: String = "", samples: Int = 16, dataset: String = "ids", model: String = "tiny") -> String {
    """
    {"model": "\(model)", "quantization": {"bits": 4, "group_size": 32\(more)},
     "calibration": {"dataset": "\(dataset)", "samples": \(samples), "sequence_length": 64},
     "evaluation": {"dataset": "ids", "samples": 4, "sequence_length": 64}}
    """
  }

  @Test("A job ends with a checkpoint that is fetched and verified; the same request gives the same bytes")
  func quantizes() async throws {
    try await EngineServer.run { server in
      let first = try await server.ended(server.submit(Self.request()).id)
      #expect(first.status == .succeeded, "\(first.error?.detail ?? "")")
      let report = try #require(first.report)
      #expect(report.layers == 21)
      let (before, after) = (try #require(report.perplexityBefore), try #require(report.perplexityAfter))
      #expect(abs(after / before - 1) < 0.2)  // random weights at 4 bits: some per cent
      #expect(report.evaluationTokens == 4 * 63)
      #expect(report.calibrationTokens == 16 * 64)
      #expect(first.warnings.contains { $0.contains("Marlin kernels won't run this checkpoint") && $0.contains("qkv_proj has 64") })

      let manifest = try await server.client.get(ArtifactManifest.self, "/v1/jobs/\(first.id)/artifacts")
      let names = [
        "config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json", "quantize_config.json", "report.json",
      ]
      #expect(manifest.files.map(\.path) == names)
      let output = server.folder.appending(component: "fetched")
      try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
      for file in manifest.files {
        let download = FileDownload(
          client: server.client, path: "/v1/jobs/\(first.id)/artifacts/", file: file, folder: output, partSize: 10_000)
        try await download.run { _ in }
        #expect(try Data(contentsOf: output.appending(component: file.path)).count == file.size)
      }
      let written = try JSONValue(parsing: Array(Data(contentsOf: output.appending(component: "report.json"))))
      let marlin = try #require(written["serving"]?["vllm_marlin"])
      #expect(marlin["met"]?.boolValue == false)
      #expect(marlin["rules"]?.arrayValue?.count == 7)
      #expect(marlin["tensor_parallel"]?.arrayValue?.map { $0["size"]?.intValue } == [1, 2, 4, 8])

      let layers = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(first.id)/layers").data
      #expect(layers.count == 21)
      #expect(layers.allSatisfy { $0.state == .done && $0.attempts == 1 && ($0.relativeLoss ?? 1) < 0.1 })
      let attempts = try await server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(first.id)/attempts").data
      #expect(attempts.count == 21)
      let events = try await server.client.get(APIList<JobEvent>.self, "/v1/jobs/\(first.id)/events?limit=1000").data
      #expect(events.filter { $0.kind == .layer }.count == 21)
      #expect(events.last?.data["status"]?.stringValue == "succeeded")

      let second = try await server.ended(server.submit(Self.request()).id)
      #expect(second.result?.revision == first.result?.revision)
      #expect(second.result?.files == first.result?.files)
      let work = server.folder.appending(path: "data/work")
      // Finished blocks go once success is stored, which is when it is told.
      for _ in 0..<1000 where try !FileManager.default.contentsOfDirectory(atPath: work.path).isEmpty {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: work.path).isEmpty)
    }
  }

  @Test("Rules for modules and a quantized head go through the daemon: layers, config.json, warnings and refusals")
  func choosesByModule() async throws {
    try await EngineServer.run { server in
      let choices =
        #", "lm_head": true, "dynamic": {"+:.*down_proj": {"bits": 8, "group_size": -1}, "-:.*layers\\.1\\.": {}, "+:nothing": {}}"#
      let job = try await server.ended(server.submit(Self.request(choices)).id)
      #expect(job.status == .succeeded && !job.degraded, "\(job.error?.detail ?? "")")
      #expect(job.warnings.contains { $0.contains("\"+:nothing\"") && $0.contains("has no effect") })
      #expect(job.warnings.contains { $0.contains("transformers won't run this checkpoint") })
      let layers = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(job.id)/layers").data
      #expect(layers.count == 22 && layers.last?.name == "lm_head")
      for layer in layers {
        let isKept = layer.name.contains("layers.1.")
        #expect(layer.state == .done && layer.method == (isKept ? .keep : .gptq))
        #expect(layer.bits == (isKept ? nil : layer.name.hasSuffix("down_proj") ? 8 : 4))
        #expect(layer.groupSize == (isKept ? nil : layer.name.hasSuffix("down_proj") ? -1 : 32))
      }
      let config = try await server.client.send("GET", "/v1/jobs/\(job.id)/artifacts/config.json").body
      let settings = try #require(JSONValue(parsing: Array(config))["quantization_config"])
      #expect(settings["lm_head"] == true)
      #expect(settings["dynamic"]?.objectValue?.keys == [#"-:.*layers\.1\."#, "+:.*down_proj", "+:nothing"])

      let again = try await server.client.get(Job.self, "/v1/jobs/\(job.id)")
      #expect(again.request.quantization.dynamic.map(\.pattern) == ["+:.*down_proj", #"-:.*layers\.1\."#, "+:nothing"])
      let refused = try await server.refusal(Self.request(#", "dynamic": {"+:(": {}}"#))
      #expect(refused?.errors?.map(\.pointer) == ["/quantization/dynamic"])
      #expect(refused?.detail.contains(#"the pattern "+:(" is not a regular expression"#) == true, "\(refused?.detail ?? "")")
      let slow = try await server.refusal(Self.request(#", "dynamic": {"+:(.*)*\\d$": {}}"#))
      #expect(slow?.detail.contains("takes too long") == true, "\(slow?.detail ?? "")")
    }
  }

  @Test("Mixtures of experts go through the daemon; starved ones are told")
  func quantizesExperts() async throws {
    try await EngineServer.run { server in
      try EngineServer.copyModel(EngineServer.goldenModel("qwen3-moe"), to: server.models.appending(component: "moe"))
      let request = """
        {"model": "moe", "quantization": {"group_size": 32}, "recovery": {"escalate_samples": []},
         "calibration": {"dataset": "ids", "samples": 2, "sequence_length": 64}}
        """
      let job = try await server.ended(server.submit(request).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      let layers = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(job.id)/layers").data
      #expect(layers.allSatisfy { $0.state == .done && $0.method == .gptq })
      let attempts = try await server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(job.id)/attempts").data
      let completed = Set(attempts.filter { $0.cause == .starved && $0.remedy == .allTokens }.map(\.layer))
      #expect(!completed.isEmpty && completed.allSatisfy { $0.contains(".mlp.experts.") })
      for layer in completed {
        let parts = layer.split(separator: ".")
        let expert = parts.dropLast().joined(separator: ".")
        #expect(
          job.warnings.contains {
            $0.hasPrefix("few tokens reach the") && $0.contains(parts[parts.count - 1]) && $0.contains(expert + " (")
          })
      }
    }
  }

  @Test("A broken download is gone on with, and wrong bytes are not kept")
  func resumesDownloads() async throws {
    try await EngineServer.run { server in
      let job = try await server.ended(server.submit(Self.request()).id)
      let file = try #require(job.result?.files.first { $0.path == "model.safetensors" })
      let path = "/v1/jobs/\(job.id)/artifacts/"
      let whole = try await server.client.send("GET", path + file.path).body
      let partial = server.folder.appending(component: "model.safetensors.part")
      let download = FileDownload(client: server.client, path: path, file: file, folder: server.folder, partSize: 50_000)

      try whole.prefix(12_345).write(to: partial)
      var seen: [Int] = []
      try await download.run { seen.append($0) }
      #expect(seen.first == 62_345)
      #expect(try Data(contentsOf: server.folder.appending(component: file.path)) == whole)
      seen = []
      try await download.run { seen.append($0) }
      #expect(seen == [file.size])

      try FileManager.default.removeItem(at: server.folder.appending(component: file.path))
      try Data(repeating: 7, count: 12_345).write(to: partial)
      let error = await #expect(throws: ClientError.self) { try await download.run { _ in } }
      #expect(error?.exitStatus == 5)
      #expect(!FileManager.default.fileExists(atPath: partial.path))
      #expect(!FileManager.default.fileExists(atPath: server.folder.appending(component: file.path).path))
    }
  }

  @Test("A job that fails on its data says where and what to do, and the next one runs")
  func failsClearly() async throws {
    try await EngineServer.run { server in
      try Data("{\"input_ids\": [1, 2]}\n{\"input_ids\": [1, \n".utf8).write(to: server.datasets.appending(component: "bad.jsonl"))
      let bad = try await server.ended(server.submit(Self.request(dataset: "bad")).id)
      #expect(bad.status == .failed)
      #expect(bad.error?.code == "invalid_dataset")
      #expect(bad.error?.detail.contains("bad.jsonl, line 2") == true, "\(bad.error?.detail ?? "")")
      let little = try await server.ended(server.submit(Self.request(samples: 1000)).id)
      #expect(
        little.error?.detail.contains("2000 tokens make 31 sequences of 64, 1000 are needed") == true, "\(little.error?.detail ?? "")")
      #expect(try await server.ended(server.submit(Self.request()).id).status == .succeeded)
    }
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let body: String
    let pointer: String
    let message: String
    var testDescription: String { "\(pointer): \(message)" }
  }

  @Test("What can't be done is refused at submission, by the field")
  func refusesRequests() async throws {
    let table = [
      Refused(body: Self.request(", \"sym\": \"yes\""), pointer: "/quantization/sym", message: "must be true or false"),
      Refused(body: Self.request(model: "none"), pointer: "/model", message: "there is no model \"none\""),
      Refused(body: Self.request(dataset: "none"), pointer: "/calibration/dataset", message: "there is no dataset \"none\""),
      Refused(
        body: Self.request().replacing("\"group_size\": 32", with: "\"group_size\": 128"), pointer: "/quantization/group_size",
        message: "doesn't fit model.layers.0.self_attn.q_proj, which has 64 input channels"),
      Refused(
        body: Self.request().replacing("\"sequence_length\": 64}", with: "\"sequence_length\": 300}"),
        pointer: "/calibration/sequence_length", message: "the model reads at most 256 tokens"),
      Refused(body: Self.request(model: "truncated"), pointer: "/model", message: "get it again"),
      Refused(
        body: Self.request(model: "mamba"), pointer: "/model",
        message: "model_type \"mamba\" is not supported; supported are gemma2, gemma3_text, llama"),
      Refused(body: Self.request(model: "foreign"), pointer: "/model", message: "config.json asks for"),
      Refused(body: Self.request(model: "shardless"), pointer: "/model", message: "the shard model-00002-of-00002.safetensors"),
      Refused(body: Self.request(model: "outside"), pointer: "/model", message: "leaves its root"),
    ]
    try await EngineServer.run { server in
      try makeBrokenModels(server)
      for refused in table {
        let problem = try #require(try await server.refusal(refused.body), "\(refused)")
        #expect(problem.errors?.map(\.pointer) == [refused.pointer], "\(problem)")
        #expect(problem.detail.contains(refused.message) || problem.detail.contains("download it again"), "\(problem)")
      }
      #expect(try await server.client.get(APIList<Job>.self, "/v1/jobs").data.isEmpty)
    }
  }

  private func makeBrokenModels(_ server: EngineServer) throws {
    func model(_ name: String, _ change: (URL) throws -> Void) throws {
      let folder = server.models.appending(component: name)
      try EngineServer.copyModel(to: folder)
      try change(folder)
    }
    func replace(_ text: String, with other: String, in folder: URL) throws {
      let file = folder.appending(component: "config.json")
      try Data(String(contentsOf: file, encoding: .utf8).replacing(text, with: other).utf8).write(to: file)
    }
    try model("truncated") { folder in
      let file = folder.appending(component: "model.safetensors")
      try Data(contentsOf: file).dropLast(1000).write(to: file)
    }
    try model("mamba") { try replace("\"model_type\": \"qwen2\"", with: "\"model_type\": \"mamba\"", in: $0) }
    try model("foreign") { try replace("\"intermediate_size\": 96", with: "\"intermediate_size\": 128", in: $0) }
    try model("shardless") { folder in
      try FileManager.default.moveItem(
        at: folder.appending(component: "model.safetensors"), to: folder.appending(component: "model-00001-of-00002.safetensors"))
      try Data(
        """
        {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors", "x": "model-00002-of-00002.safetensors"}}
        """.utf8
      ).write(to: folder.appending(component: "model.safetensors.index.json"))
    }
    try FileManager.default.createSymbolicLink(
      at: server.models.appending(component: "outside"), withDestinationURL: EngineServer.tinyModel)
  }

  @Test("Cancelling a running job leaves no artifact, and finished work at most")
  func cancels() async throws {
    try await EngineServer.run { server in
      let job = try await server.submit(Self.request().replacing("\"samples\": 4", with: "\"samples\": 31"))
      _ = try await server.client.send("POST", "/v1/jobs/\(job.id)/cancel")
      let ended = try await server.ended(job.id)
      #expect(ended.status == .cancelled)
      #expect(ended.result == nil)
      #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder.appending(path: "data/artifacts").path).isEmpty)
      let left = FileManager.default.enumerator(atPath: server.folder.appending(path: "data/work").path)
      for case let path as String in try #require(left) {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let isBlock = (name.hasPrefix("block-") || name.hasPrefix("hidden-")) && name.hasSuffix(".safetensors")
        #expect(path == job.id.text || ["blocks", "perplexity.json"].contains(name) || isBlock, "\(path)")
      }
    }
  }
}
