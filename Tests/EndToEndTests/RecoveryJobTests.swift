import Checkpoint
import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

/// Layer jobs, degraded jobs, retry and history through the whole daemon.
@Suite(.serialized) struct RecoveryJobTests {
  /// A file of two layers: `any`, healthy, and `bad` whose Hessian has eigenvalues 1 ± coupling.
  static func writeLayers(coupling: Float, to folder: URL) throws {
    let weight = (0..<64).map { Float(($0 * 37 % 41) - 20) / 20 }
    func hessian(_ coupling: Float) -> [Float] {
      (0..<64).map { $0 % 9 == 0 ? 1 : $0 == 1 || $0 == 8 ? coupling : 0 }
    }
    let tensors = [
      ("any.hessian", hessian(0.1)), ("any.weight", weight), ("bad.hessian", hessian(coupling)), ("bad.weight", weight),
    ]
    var writer = try SafetensorsWriter(
      folder.appending(component: "captured.safetensors"),
      tensors: tensors.map { TensorInfo(name: $0.0, type: .float32, shape: [8, 8]) }, metadata: [:])
    for (name, values) in tensors { try values.withUnsafeBytes { try writer.write($0, of: name) } }
    try writer.finish()
  }

  private static let request = """
    {"kind": "layers", "model": "captured", "quantization": {"bits": 4, "group_size": 8, "act_group_aware": false}}
    """

  @Test("A layer that nothing cures fails the job with what was tried and what to do; a retry with policy keep ends it degraded")
  func retriesWithAnotherPolicy() async throws {
    try await EngineServer.run { server in
      try Self.writeLayers(coupling: 5, to: server.models)
      let failed = try await server.ended(server.submit(Self.request).id)
      #expect(failed.status == .failed)
      let error = try #require(failed.error)
      #expect(error.code == "not_positive_definite" && error.layer == "bad" && error.cause == .incurable)
      #expect(error.tried == "float32 with damping 0.01; float64 with damping 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0")
      #expect(error.advice?.contains("on_exhausted") == true)
      let stopped = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(failed.id)/layers").data
      #expect(stopped.map(\.state) == [.done, .failed] && stopped[1].attempts == 8)

      let answer = try await server.client.send(
        "POST", "/v1/jobs/\(failed.id)/retry", body: Data("{\"recovery\": {\"on_exhausted\": \"keep\"}}".utf8))
      #expect(try APICoding.decode(Job.self, from: answer.body).error == nil)
      let ended = try await server.ended(failed.id)
      #expect(ended.status == .succeeded && ended.degraded && ended.attempt == 2)
      #expect(ended.report?.degradedLayers == [.init(layer: "bad", method: .keep, cause: .incurable)])
      #expect(ended.warnings.contains { $0.contains("bad is degraded") })
      let attempts = try await server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(failed.id)/attempts").data
      #expect(attempts.filter { $0.layer == "bad" }.map(\.jobAttempt) == Array(repeating: 1, count: 8) + Array(repeating: 2, count: 8))
      #expect(attempts.filter { $0.layer == "bad" }.compactMap(\.remedy).last == .keep)
      let layers = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(failed.id)/layers").data
      #expect(layers.map(\.method) == [.gptq, .keep] && layers.map(\.degraded) == [false, true])
      // What was finished isn't done again.
      #expect(attempts.filter { $0.layer == "any" }.map(\.jobAttempt) == [1])
      #expect(ended.result?.files.map(\.path) == ["model.safetensors", "quantize_config.json", "report.json"])
    }
  }

  @Test("A later job starts at the damping that worked, and says so; one with a fixed start doesn't")
  func remembersDamping() async throws {
    try await EngineServer.run { server in
      try Self.writeLayers(coupling: 1.15, to: server.models)
      func attempts(_ request: String) async throws -> [AttemptRecord] {
        let job = try await server.ended(server.submit(request).id)
        #expect(job.status == .succeeded && !job.degraded)
        return try await server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(job.id)/attempts").data.filter { $0.layer == "bad" }
      }
      #expect(try await attempts(Self.request).map(\.damping) == [0.01, 0.01, 0.02, 0.05, 0.1, 0.2])
      let second = try await attempts(Self.request)
      #expect(second.map(\.damping) == [0.2] && second.map(\.dampingOrigin) == [.history])
      let fixed = Self.request.replacing("\"kind\"", with: "\"damping\": {\"start\": \"fixed\"}, \"kind\"")
      #expect(try await attempts(fixed).count == 6)
    }
  }

  @Test("A file that was changed between two starts is noticed, whatever its size and time say, and finished work is done again")
  func noticesAChangedFile() async throws {
    try await EngineServer.run { server in
      try Self.writeLayers(coupling: 5, to: server.models)
      let file = server.models.appending(component: "captured.safetensors").path
      let time = try #require(try FileManager.default.attributesOfItem(atPath: file)[.modificationDate])
      let failed = try await server.ended(server.submit(Self.request).id)
      #expect(failed.status == .failed)
      try Self.writeLayers(coupling: 1.15, to: server.models)
      try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: file)
      _ = try await server.client.send("POST", "/v1/jobs/\(failed.id)/retry")
      let ended = try await server.ended(failed.id)
      #expect(ended.status == .succeeded && !ended.degraded)
      #expect(ended.warnings.contains("the job went on from block 0, not from where it was: the model changed since block 0 was made"))
      let attempts = try await server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(failed.id)/attempts").data
      #expect(attempts.filter { $0.layer == "any" }.map(\.jobAttempt) == [1, 2])
    }
  }

  @Test("A retry doesn't measure the source's perplexity again, and ends with the bytes of an undisturbed job")
  func keepsTheSourcesPerplexity() async throws {
    try await EngineServer.run { server in
      let rows = (0..<2000).map { row in "{\"input_ids\": [" + (0..<50).map { "\(($0 * 31 + row * 7) % 157)" }.joined(separator: ",") + "]}"
      }
      try Data(rows.joined(separator: "\n").utf8).write(to: server.datasets.appending(component: "many.jsonl"))
      let request = """
        {"model": "tiny", "quantization": {"group_size": 32}, "calibration": {"dataset": "many", "samples": 1500, "sequence_length": 64},
         "evaluation": {"dataset": "ids", "samples": 4, "sequence_length": 64}}
        """
      var job = try await server.submit(request)
      while job.stage != .quantizing { job = try await server.client.get(Job.self, "/v1/jobs/\(job.id)?wait=5") }
      _ = try await server.client.send("POST", "/v1/jobs/\(job.id)/cancel")
      #expect(try await server.ended(job.id).status == .cancelled)
      _ = try await server.client.send("POST", "/v1/jobs/\(job.id)/retry")
      let ended = try await server.ended(job.id)
      #expect(ended.status == .succeeded && ended.report?.perplexityBefore != nil)
      let events = try await server.client.get(APIList<JobEvent>.self, "/v1/jobs/\(job.id)/events?limit=1000").data
      let again = events.drop { $0.data["status"]?.stringValue != "cancelled" }
      #expect(again.filter { $0.data["stage"]?.stringValue == "evaluating" }.count == 1)
      let undisturbed = try await server.ended(server.submit(request).id)
      #expect(undisturbed.result?.files == ended.result?.files)
    }
  }

  @Test("A layers file without Hessians is refused at submission")
  func refusesOtherFiles() async throws {
    try await EngineServer.run { server in
      var writer = try SafetensorsWriter(
        server.models.appending(component: "captured.safetensors"),
        tensors: [TensorInfo(name: "a.weight", type: .float32, shape: [8, 8])], metadata: [:])
      try [Float](repeating: 1, count: 64).withUnsafeBytes { try writer.write($0, of: "a.weight") }
      try writer.finish()
      let problem = try #require(try await server.refusal(Self.request))
      #expect(problem.status == 422)
      #expect(problem.errors?.first?.detail == "layer a: it has neither hessian nor inputs; one is needed")
    }
  }
}
