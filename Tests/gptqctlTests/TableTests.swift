import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct TableTests {
  private static func attempt(_ number: Int, _ change: (inout AttemptRecord) -> Void = { _ in }) -> AttemptRecord {
    var attempt = AttemptRecord(
      layer: "q_proj", jobAttempt: 1, number: number, damping: 0.01, precision: .float32, samples: 32, tokens: 4096, info: 0, seconds: 0.5,
      outcome: .succeeded, at: Date(timeIntervalSince1970: 0))
    change(&attempt)
    return attempt
  }

  @Test("Attempts show remedy, where the damping comes from, and what was wrong below")
  func attempts() {
    let text = AttemptTable([
      Self.attempt(1) { attempt in
        (attempt.outcome, attempt.cause, attempt.remedy, attempt.info) = (.failed, .rankDeficient, .moreSamples, 7)
        attempt.detail = "4096 tokens for 4864 columns"
      },
      Self.attempt(2) { ($0.damping, $0.dampingOrigin, $0.precision) = (0.2, .history, .float64) },
      Self.attempt(3) { ($0.damping, $0.dampingOrigin) = (0.5, .ladder) },
    ]).text
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(
      lines == [
        "layer start try outcome cause remedy damping precision samples tokens info smallest pivot 1/condition loss seconds", lines[1],
        "q_proj 1 1 failed rank_deficient more_samples 0.0100 float32 32 4096 7 – – – 0.500", "4096 tokens for 4864 columns",
        "q_proj 1 2 succeeded – – 0.200 history float64 32 4096 0 – – – 0.500",
        "q_proj 1 3 succeeded – – 0.500 ladder float32 32 4096 0 – – – 0.500",
      ])
  }

  @Test("Every cause, remedy and origin has its word", arguments: AttemptRecord.Remedy.allCases)
  func remedies(remedy: AttemptRecord.Remedy) {
    #expect(AttemptTable([Self.attempt(1) { $0.remedy = remedy }]).text.contains(" \(remedy.rawValue) "))
  }

  @Test("Layers show method, what degraded them, and what of the optional steps was kept")
  func layers() {
    let layers = [
      LayerRecord(
        name: "q_proj", position: 0, block: 0, state: .done, shape: [8, 16], method: .gptq, damping: 0.01, attempts: 1, relativeLoss: 0.02,
        kept: .init(scaleSearch: 0.834, scaleRefinement: 1, errorCompensation: 0.5), tokens: 64, deadColumns: 0, seconds: 1),
      LayerRecord(
        name: "k_proj", position: 1, block: 0, state: .done, shape: [8, 16], method: .rtn, degraded: true, cause: .incurable, attempts: 9,
        kept: .init(scaleSearch: 0)),
      LayerRecord(name: "v_proj", position: 2, block: 0, state: .done, shape: [8, 16], method: .keep, degraded: true),
      LayerRecord(name: "o_proj", position: 3, block: 0, shape: [8, 16]),
    ]
    let lines = LayerTable(layers).text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(
      lines == [
        "layer shape state method degraded damping attempts relative loss search refinement α tokens dead seconds", lines[1],
        "q_proj 8 × 16 done gptq – 0.0100 1 0.0200 83 % 100 % 0.500 64 0 1.000",
        "k_proj 8 × 16 done rtn incurable – 9 – 0 % – – – – –", "v_proj 8 × 16 done keep yes – 0 – – – – – – –",
        "o_proj 8 × 16 pending – – – 0 – – – – – – –",
      ])
  }

  @Test("Parts that no server should send are no trap", arguments: [1e300, -1e300, .nan, .infinity, -.infinity])
  func hostileParts(part: Double) {
    let kept = LayerRecord.Kept(scaleSearch: part, scaleRefinement: part, errorCompensation: part)
    #expect(LayerTable([LayerRecord(name: "l", position: 0, block: 0, shape: [], kept: kept)]).text.contains(" %"))
  }
}
