import JobModel
import StrictJSON
import Testing

@Suite struct RetryRequestTests {
  private static let job = JobRequest(
    model: "m", quantization: .init(bits: 3, dampPercent: 0.05), damping: .init(start: .fixed),
    recovery: .init(escalateSamples: [300], onExhausted: .rtn), calibration: .init(dataset: "d"), priority: 7)

  struct Change: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    let change: @Sendable (inout JobRequest) -> Void
    var testDescription: String { json.serialized() }
  }

  @Test(
    "What a retry gives is changed, what it leaves out stays",
    arguments: [
      Change(json: [:]) { _ in },
      Change(json: ["quantization": .null, "damping": .null, "recovery": .null]) { _ in },
      Change(json: ["quantization": [:], "damping": [:], "recovery": [:]]) { _ in },
      Change(json: ["recovery": ["on_exhausted": .null, "escalate_samples": .null]]) { _ in },
      Change(json: ["recovery": ["on_exhausted": "keep"]]) { $0.recovery.onExhausted = .keep },
      Change(json: ["recovery": ["escalate_samples": []]]) { $0.recovery.escalateSamples = [] },
      Change(json: ["recovery": ["escalate_samples": [512, 1024]]]) { $0.recovery.escalateSamples = [512, 1024] },
      Change(json: ["moe": ["starved": "rtn"]]) { $0.moe = .init(starved: .rtn) },
      Change(json: ["moe": .null]) { _ in },
      Change(json: ["damping": ["start": "history"]]) { $0.damping.start = .history },
      Change(json: ["quantization": ["damp_percent": 0]]) { $0.quantization.dampPercent = 0 },
      Change(
        json: [
          "quantization": ["damp_percent": 0.1], "damping": ["start": "history"],
          "recovery": ["escalate_samples": [64], "on_exhausted": "fail"],
        ]
      ) { request in
        request.quantization.dampPercent = 0.1
        request.damping.start = .history
        request.recovery = .init(escalateSamples: [64], onExhausted: .fail)
      },
    ])
  func changes(_ change: Change) throws {
    var expected = Self.job
    change.change(&expected)
    #expect(try RetryRequest(parsing: change.json).applied(to: Self.job) == expected)
  }

  @Test(
    "Every wrong field is named by its pointer",
    arguments: [
      ([], [""], "must be an object, is an array"), (.null, [""], "must be an object, is null"),
      (["model": "other"], ["/model"], "known here: damping, moe, nodes, quantization, recovery, slurm"),
      (["quantization": ["bits": 8]], ["/quantization/bits"], "known here: damp_percent"),
      (["quantization": ["damp_percent": 1.5]], ["/quantization/damp_percent"], "from 0.0 to 1.0, is 1.5"),
      (["quantization": ["damp_percent": "0.1"]], ["/quantization/damp_percent"], "must be a number"),
      (["quantization": 0.1], ["/quantization"], "must be an object"),
      (["damping": ["start": "here"]], ["/damping/start"], "one of history, fixed"),
      (["recovery": "rtn"], ["/recovery"], "must be an object"),
      (
        ["recovery": ["on_exhausted": "none", "escalate_samples": [2, 1], "on": 1]],
        ["/recovery/escalate_samples/1", "/recovery/on_exhausted", "/recovery/on"], "which is 2; is 1"
      ),
    ] as [(JSONValue, [String], String)])
  func refuses(json: JSONValue, pointers: [String], message: String) throws {
    let problem = try #require(throws: Problem.self) { try RetryRequest(parsing: json) }
    #expect(problem.status == 422)
    #expect(problem.errors?.map(\.pointer) == pointers)
    #expect(problem.detail.contains(message), "\(problem.detail)")
  }

  @Test("A file of layers has no more samples, whoever asks")
  func refusesMoreSamplesForLayers() throws {
    let job = JobRequest(kind: .layers, model: "m", quantization: .init(errorCompensation: 0), recovery: .init(escalateSamples: []))
    #expect(try RetryRequest(escalateSamples: [], onExhausted: .rtn).applied(to: job).recovery.onExhausted == .rtn)
    let problem = try #require(throws: Problem.self) { try RetryRequest(escalateSamples: [256]).applied(to: job) }
    #expect(problem.errors?.map(\.pointer) == ["/recovery/escalate_samples"])
    let mixture = try #require(throws: Problem.self) { try RetryRequest(starved: .rtn).applied(to: job) }
    #expect(mixture.errors?.map(\.pointer) == ["/moe"])
  }
}
