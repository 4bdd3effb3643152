import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct RenderingTests {
  @Test(
    "Byte counts",
    arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (5 << 30, "5.0 GiB"), (Int.max, "8388608.0 TiB")])
  func bytes(_ count: Int, _ text: String) { #expect(Formatting.bytes(count) == text) }

  @Test(
    "Durations",
    arguments: [
      (0, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7325, "2 h 2 min"), (-1, "?"), (.nan, "?"), (.infinity, "?"),
    ])
  func durations(_ seconds: Double, _ text: String) { #expect(Formatting.duration(seconds) == text) }

  @Test(
    "Numbers of any size keep three digits",
    arguments: [
      (nil, "–"), (0, "0"), (0.01, "0.0100"), (1.23456, "1.23"), (-0.5, "-0.500"), (8.191e-4, "8.19e-4"), (123_456, "1.23e5"),
      (1e-300, "1.00e-300"),
    ] as [(Double?, String)])
  func significant(_ value: Double?, _ text: String) { #expect(Formatting.significant(value) == text) }

  @Test("Columns are aligned, and lines don't end in blanks")
  func table() {
    var table = TextTable([("name", .left), ("count", .right), ("note", .left)])
    table.add(["a", "1", "x"])
    table.add(["longer", "1000", ""])
    #expect(
      table.text == """
        name    count  note
        ──────  ─────  ────
        a           1  x
        longer   1000
        """)
  }

  @Test(
    "A bar never leaves its line, whatever it shows", arguments: [0, 1, 20, 54, 80, 200], [-1, 0, 0.333, 0.999, 1, 2, .nan, .infinity])
  func bar(_ width: Int, _ fraction: Double) {
    let line = ProgressBar.line(fraction: fraction, label: "model.layers.11.mlp.down_proj", width: width)
    #expect(line.count <= max(0, width - 1))
  }

  @Test("A bar fills from the left")
  func barFills() {
    #expect(ProgressBar.line(fraction: 0, label: "", width: 54).hasPrefix("▕░░░░▏   0%"))
    #expect(ProgressBar.line(fraction: 0.5, label: "", width: 54).hasPrefix("▕██░░▏  50%"))
    #expect(ProgressBar.line(fraction: 1, label: "done", width: 80).contains("█▏ 100%  done"))
  }

  @Test("A failed job shows layer, cause and advice")
  func summary() {
    var job = Job(id: JobID(), request: JobRequest(model: "m"), createdAt: Date())
    job.error = Job.Failure(code: "x", layer: "l.q_proj", cause: .incurable, detail: "no factor", advice: "more text")
    job.warnings = ["careful"]
    let text = JobSummary(job).text
    for part in ["in l.q_proj: no factor", "cause        incurable", "advice       more text", "warning      careful"] {
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test("Only http addresses are servers", arguments: ["", "localhost:8790", "ftp://x", "http://", "/v1", "http:// x"])
  func refusesAddresses(_ url: String) { #expect(throws: ClientError.self) { try APIClient(url: url, token: nil) } }

  @Test("A slash at an address's end is as good as none")
  func takesAddresses() throws {
    #expect(try APIClient(url: "http://[::1]:8790/", token: nil).base.absoluteString == "http://[::1]:8790")
    #expect(try APIClient(url: "https://host/below", token: nil).base.absoluteString == "https://host/below")
  }

  @Test("Scripts can tell failures apart")
  func exitStatuses() {
    #expect(ClientError.jobEnded(.failed).exitStatus == 1)
    #expect(ClientError.noSuchJob("x", matching: 0).exitStatus == 3)
    #expect(ClientError.unreachable(url: "", reason: "").exitStatus == 4)
    #expect(ClientError.wrongBytes(file: "").exitStatus == 5)
  }

  @Test("A server that isn't there is unreachable, not a trap")
  func unreachable() async throws {
    let client = try APIClient(url: "http://127.0.0.1:1", token: nil)
    let error = await #expect(throws: ClientError.self) { try await client.send("GET", "/v1/jobs") }
    #expect(error?.exitStatus == 4)
  }
}
