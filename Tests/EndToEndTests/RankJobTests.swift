import Foundation
import JobModel
import Testing

/// Jobs that several ranks do together, through the whole daemon.
@Suite(.serialized) struct RankJobTests {
  /// More tokens than are summed up at once, so that each rank has some.
  private static let dataset = (0..<70).map { row in
    "{\"input_ids\": [" + (0..<256).map { String(($0 * 31 + row * 7) % 157) }.joined(separator: ",") + "]}"
  }.joined(separator: "\n")

  private static let request = """
    {"model": "tiny", "quantization": {"bits": 4, "group_size": 32, "lm_head": true},
     "calibration": {"dataset": "long", "samples": 50, "sequence_length": 256},
     "evaluation": {"dataset": "long", "samples": 40, "sequence_length": 256}}
    """

  private func job(ranks: Int, _ request: String = Self.request) async throws -> Job {
    var result: Job?
    try await EngineServer.run(ranks: ranks) { server in
      try Data(Self.dataset.utf8).write(to: server.datasets.appending(component: "long.jsonl"))
      result = try await server.ended(server.submit(request).id)
    }
    return try #require(result)
  }

  @Test("A job of three ranks has the result of one")
  func sharesAJob() async throws {
    let jobs = try await [job(ranks: 1), job(ranks: 3)]
    for job in jobs { #expect(job.status == .succeeded, "\(job.error?.detail ?? "")") }
    // All but the report, which tells times.
    let files = jobs.map { job in job.result?.files.filter { $0.path != "report.json" }.map { [$0.path, $0.sha256] } }
    #expect(files[0] == files[1] && files[0]?.count ?? 0 > 3)
    #expect(jobs[0].report?.perplexityBefore == jobs[1].report?.perplexityBefore)
    #expect(jobs[0].report?.perplexityAfter == jobs[1].report?.perplexityAfter)
    #expect(jobs[0].warnings == jobs[1].warnings)
  }

  @Test("What one of several ranks can't do fails the job with the words of one")
  func failsTogether() async throws {
    let request = Self.request.replacing("\"samples\": 50", with: "\"samples\": 71")
    let jobs = try await [job(ranks: 1, request), job(ranks: 2, request)]
    #expect(jobs.map(\.status) == [.failed, .failed])
    #expect(jobs[0].error?.detail == jobs[1].error?.detail && jobs[0].error?.code == jobs[1].error?.code)
  }
}
