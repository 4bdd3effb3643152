import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct JobSummaryTests {
  private var job: Job { Job(id: JobID(), request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 0)) }

  @Test("A finished job shows its perplexity, its artifact and that it is degraded")
  func succeeded() {
    var job = job
    job.status = .succeeded
    job.degraded = true
    job.progress = .init(done: 2, total: 2, fraction: 1)
    job.report = Job.Report(perplexityBefore: 10, perplexityAfter: 10.5, layers: 2, seconds: 75)
    job.result = ArtifactManifest(
      repo: "jobs/x", revision: "abc", files: [.init(path: "a", size: 1024, sha256: ""), .init(path: "b", size: 512, sha256: "")])
    let text = JobSummary(job).text
    for part in [
      "status       succeeded (degraded)", "progress     2 of 2 layers, 100 %", "10.0000 before, 10.5000 after (5.00 %)", "1 min 15 s",
      "2 files, 1.5 KiB, revision abc", "created      1970-01-01T00:00:00Z",
    ] {
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test("Numbers that no server should send are no trap", arguments: [1e300, -1e300, -1, 0.129])
  func hostileNumbers(fraction: Double) {
    var job = job
    job.progress = .init(done: Int.max, total: 0, fraction: fraction)
    job.report = Job.Report(perplexityBefore: 0, perplexityAfter: 1e308, layers: 0, seconds: -1)
    let file = ArtifactManifest.File(path: "a", size: .max, sha256: "")
    job.result = ArtifactManifest(repo: "", revision: "", files: [file, file])
    let text = JobSummary(job).text
    #expect(text.contains("2 files, 8388608.0 TiB"))
    #expect(text.contains(fraction == 0.129 ? "layers, 12 %" : fraction > 0 ? "layers, 100 %" : "layers, 0 %"), "\(text)")
  }
}
