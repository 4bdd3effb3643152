import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

/// What a job needs, told and checked when it is submitted.
@Suite(.serialized) struct EstimateTests {
  private static let request = """
    {"model": "tiny", "quantization": {"bits": 4, "group_size": 32},
     "calibration": {"dataset": "ids", "samples": 16, "sequence_length": 64}}
    """

  @Test("A job tells the memory and the disk that it will need; the checkpoint is as large as told")
  func tells() async throws {
    try await EngineServer.run { server in
      let job = try await server.submit(Self.request)
      let estimate = try #require(job.estimate)
      #expect(estimate.memoryBytes > 100 << 20 && estimate.memoryBytes < 1 << 30)
      #expect(estimate.diskBytes > estimate.artifactBytes)
      let ended = try await server.ended(job.id)
      #expect(ended.estimate == estimate)
      let weights = try #require(ended.result?.files.first { $0.path == "model.safetensors" }).size
      // The header aside.
      #expect(weights >= estimate.artifactBytes && weights - estimate.artifactBytes < 20_000)
    }
  }

  @Test("A memory limit that is too small is refused with the number that is needed, and with that number the job runs")
  func refusesTooLittleMemory() async throws {
    var needed = 0
    try await EngineServer.run(["GPTQD_COMPUTE_MEMORY_LIMIT": "1MiB"]) { server in
      let problem = try #require(try await server.refusal(Self.request))
      #expect(problem.code == .memoryLimit && problem.status == 422)
      #expect(problem.detail.contains("1048576"), "\(problem.detail)")
      needed = try #require(problem.detail.matches(of: /[0-9]{7,}/).compactMap { Int($0.output) }.max())
      #expect(try await server.client.get(APIList<Job>.self, "/v1/jobs").data.isEmpty)
    }
    try await EngineServer.run(["GPTQD_COMPUTE_MEMORY_LIMIT": "\(needed)"]) { server in
      let job = try await server.submit(Self.request)
      #expect(job.estimate?.memoryBytes == needed)
      #expect(try await server.ended(job.id).status == .succeeded)
    }
  }

  @Test("A dataset that memory has no room for is refused before it is read")
  func refusesTooLargeData() async throws {
    try await EngineServer.run(["GPTQD_COMPUTE_MEMORY_LIMIT": "400MiB"]) { server in
      let file = server.datasets.appending(component: "large.jsonl")
      try Data("{}".utf8).write(to: file)
      #expect(truncate(file.path, 101 << 20) == 0)
      let problem = try #require(try await server.refusal(Self.request.replacing("\"ids\"", with: "\"large\"")))
      #expect(problem.code == .memoryLimit && problem.status == 422)
      #expect(problem.detail.contains("large.jsonl has 105906176 bytes"), "\(problem.detail)")
      #expect(try await server.refusal(Self.request) == nil)
    }
  }

  @Test("A disk that is too small is refused with what is needed and what is free")
  func refusesTooLittleDisk() async throws {
    try await EngineServer.run(freeBytes: 1000) { server in
      let problem = try #require(try await server.refusal(Self.request))
      #expect(problem.code == .insufficientStorage && problem.status == 507)
      #expect(problem.detail.contains("where 1000 are free"), "\(problem.detail)")
    }
  }
}
