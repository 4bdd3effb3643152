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
    job.estimate = .init(memoryBytes: 3 << 29, diskBytes: 10 << 20, artifactBytes: 9 << 20)
    let text = JobSummary(job).text
    for part in [
      "estimate     1.5 GiB of memory, 10.0 MiB of disk",
      "status       succeeded (degraded)", "progress     2 of 2 layers, 100 %", "10.0000 before, 10.5000 after (5.00 %)", "1 min 15 s",
      "2 files, 1.5 KiB, revision abc", "created      1970-01-01T00:00:00Z",
    ] {
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test("A degraded job names each layer, how it was done instead, and why")
  func degraded() {
    var job = job
    (job.status, job.degraded) = (.succeeded, true)
    let layers = [
      Job.DegradedLayer(layer: "l.q_proj", method: .rtn, cause: .incurable),
      .init(layer: "l.o_proj", method: .keep, cause: .nonFiniteInput),
    ]
    job.report = Job.Report(layers: 2, degradedLayers: layers, seconds: 1)
    let text = JobSummary(job).text
    #expect(
      text.contains("degraded     l.q_proj: rtn, since incurable\ndegraded     l.o_proj: keep, since \(layers[1].cause.rawValue)"),
      "\(text)")
  }

  @Test("A failed job shows what was tried; a job of layers that it is one")
  func failed() {
    let id = JobID()
    var job = Job(id: id, request: JobRequest(kind: .layers, model: "f"), createdAt: Date(timeIntervalSince1970: 0))
    job.error = Job.Failure(code: "x", layer: "l.q_proj", cause: .incurable, detail: "no factor", tried: "damping 1", advice: "more text")
    let text = JobSummary(job).text
    #expect(
      text.contains(
        """
        error        in l.q_proj: no factor
        cause        incurable
        tried        damping 1
        advice       more text
        """), "\(text)")
    #expect(text.contains("layers       f"), "\(text)")
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
