import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct ProgressBarTests {
  @Test(
    "The bar's part of a line grows with the line", arguments: [(20, 4), (54, 4), (60, 10), (80, 30), (200, 30)])
  func cells(width: Int, cells: Int) {
    let line = ProgressBar.line(fraction: 0, label: "", width: width)
    #expect(line.filter { $0 == "░" }.count == cells)
  }

  @Test(
    "Eighths of a cell are shown, and 100 % only at the end",
    arguments: [
      (0.0, "▕░░░░▏   0%"), (0.03125, "▕▏░░░▏   3%"), (0.21875, "▕▉░░░▏  21%"), (0.25, "▕█░░░▏  25%"), (0.999, "▕███▉▏  99%"),
      (1, "▕████▏ 100%"), (-1, "▕░░░░▏   0%"), (2, "▕████▏ 100%"), (.infinity, "▕████▏ 100%"), (-.infinity, "▕░░░░▏   0%"),
      (.nan, "▕░░░░▏   0%"),
    ])
  func eighths(fraction: Double, text: String) {
    #expect(ProgressBar.line(fraction: fraction, label: "", width: 54).hasPrefix(text))
  }

  @Test("A label is cut where the line ends", arguments: [(12, "▕██░░▏  50%"), (15, "▕██░░▏  50%  m"), (80, nil)] as [(Int, String?)])
  func cutLabels(width: Int, text: String?) {
    let line = ProgressBar.line(fraction: 0.5, label: "model.layers.0", width: width)
    if let text { #expect(line == text) } else { #expect(line.hasSuffix("  model.layers.0")) }
  }

  @Test("A job's line tells its stage, its layers and the time that is left, until it has ended")
  func jobs() {
    var job = Job(id: JobID(), request: JobRequest(model: "m"), createdAt: Date())
    #expect(ProgressBar.line(job, width: 80).hasSuffix("  queued"))
    job.status = .running
    job.stage = .quantizing
    job.progress = .init(done: 3, total: 12, fraction: 0.25, etaSeconds: 75)
    #expect(ProgressBar.line(job, width: 100).hasSuffix("25%  quantizing  3/12 layers  about 1 min 15 s left"))
    job.status = .cancelled
    job.stage = nil
    #expect(ProgressBar.line(job, width: 100).hasSuffix("25%  cancelled  3/12 layers"))
  }
}
