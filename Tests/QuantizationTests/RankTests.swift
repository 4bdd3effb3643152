import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import Ranks
import Testing
import Transformer

/// One job over several ranks, here threads: whatever is asked for, its bytes are those of one rank.
@Suite struct RankTests {
  /// A job of several granules, so that three ranks have unequal parts.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var options = QuantizationOptions(groupSize: 32)
    var samples: Int? = 56
    /// Tokens of a sequence: 16 of them are a granule.
    var length = 256
    /// As many as the data has.
    var rows = 56
    var head = false
    var rules: [ModuleRule] = []
    var recovery = RecoveryPolicy(escalation: [])
    var model = Model.tiny
    /// Sequences with the token whose activations overflow.
    var badRows: [Int] = []

    enum Model: Sendable {
      case tiny
      /// Token 159 leads to activations of about so many.
      case overflowing(gain: Float)
      /// With so many channels inside the MLP that they need more tokens than a granule has.
      case wide
    }

    func calibration() throws -> CalibrationData {
      var rows = TinyModel.rows(rows, length: length)
      for row in badRows { rows[row][5] = 159 }
      return try TinyModel.data(rows, samples: samples)
    }

    func model(in folder: URL) throws -> URL {
      switch model {
      case .tiny: return TinyModel.folder
      case .overflowing(let gain): try TinyModel.writeOverflowing(gain: gain, to: folder)
      case .wide: try TinyModel.writeWide(inner: 2304, to: folder)
      }
      return folder
    }
  }

  static let cases: [Case] = [
    Case(testDescription: "as usual"),
    Case(
      testDescription: "without what makes it better",
      options: QuantizationOptions(groupSize: 32, searchesScales: false, refinesScales: false, errorCompensation: 0)),
    Case(testDescription: "desc_act at 3 bits", options: QuantizationOptions(bits: 3, groupSize: 32, ordering: .descendingActivation)),
    Case(testDescription: "output head", head: true),
    Case(testDescription: "rounding", options: QuantizationOptions(method: .rtn, groupSize: 32), samples: nil, head: true),
    Case(testDescription: "fewer granules than ranks", samples: 20, rows: 20),
    Case(
      testDescription: "more sequences for a starved layer", samples: 18,
      rules: [ModuleRule(pattern: "-:.*0.mlp.down_proj", expression: ".*0.mlp.down_proj", leavesAlone: true)],
      recovery: RecoveryPolicy(escalation: [40, 56]), model: .wide),
    Case(
      testDescription: "dropped sequences", samples: 200, length: 64, rows: 200, model: .overflowing(gain: 1e18), badRows: [3, 130]),
    Case(
      testDescription: "products beyond float32", samples: 200, length: 64, rows: 200, model: .overflowing(gain: 7e6),
      badRows: [3, 130, 131]),
  ]

  @Test("The bytes, and what is told, don't depend on the number of ranks", arguments: cases)
  func isIndependentOfRanks(_ job: Case) throws {
    let one = try SharedRun(job, ranks: 1)
    for ranks in [2, 3] { try one.expectSame(SharedRun(job, ranks: ranks)) }
  }

  @Test("A job that was interrupted goes on with another number of ranks", arguments: [(1, 2), (2, 3), (3, 1), (2, 2)])
  func resumes(before: Int, after: Int) throws {
    let job = Case(testDescription: "interrupted", head: true)
    let folder = try TemporaryFolder()
    #expect(throws: QuantizationCancelled.self) {
      _ = try SharedRun(job, ranks: before, folder: folder, cancelAt: "model.layers.2.mlp.gate_proj")
    }
    let resumed = try SharedRun(job, ranks: after, folder: folder)
    try SharedRun(job, ranks: 1).expectSame(resumed)
    #expect((resumed.moreWork == 0) == (before == after), "kept hidden states are of use to as many ranks only")
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(component: "blocks").path)
    #expect(left.allSatisfy { !$0.contains("-of-") || $0.hasSuffix("-of-\(after)") })
    #expect(left.contains { $0.hasPrefix("hidden-") && $0.hasSuffix(".safetensors") } == (after == 1))
  }

  @Test("Progress counts the work of all ranks", arguments: [1, 2, 3])
  func countsWork(ranks: Int) throws {
    let job = Case(testDescription: "counted")
    let run = try SharedRun(job, ranks: ranks)
    let configuration = try ModelConfiguration(folder: TinyModel.folder)
    let announced = WorkEstimate(configuration, plan: QuantizationPlan(job.options)).quantization(try job.calibration().initial)
    #expect(abs(run.work / announced - 1) < 1e-9)
  }

  @Test("Too many bad samples fail every rank with the same words")
  func failsAlike() throws {
    let job = Case(
      testDescription: "too many bad samples", samples: 200, length: 64, rows: 200, model: .overflowing(gain: 1e18),
      badRows: [3, 70, 130, 131, 199])
    let folder = try TemporaryFolder()
    let model = try job.model(in: folder.url)
    let errors = try (1...3).map { ranks in
      let results = SharedRun.results(job, model: model, ranks: ranks, folder: folder)
      return try results.map { result in "\(try #require(throws: QuantizationError.self) { try result.get() })" }
    }
    #expect(Set(errors.joined()).count == 1)
    #expect(errors[0][0].contains("more than the 1 %"))
  }

  @Test("A rank that is stopped releases the others, which say who it was")
  func releasesOthers() throws {
    let job = Case(testDescription: "stopped")
    let folder = try TemporaryFolder()
    let results = SharedRun.results(
      job, model: TinyModel.folder, ranks: 3, folder: folder, cancelAt: "model.layers.1.mlp.gate_proj", on: 1)
    #expect(throws: QuantizationCancelled.self) { try results[1].get() }
    for rank in [0, 2] {
      let error = #expect(throws: RankError.self) { try results[rank].get() }
      #expect(error == .abandoned(rank: 1, reason: "\(QuantizationCancelled())"))
    }
  }

  @Test("Ranks that don't have the same calibration data are told so")
  func refusesUnequalRanks() throws {
    let folder = try TemporaryFolder()
    let results = ThreadRanks.run(2) { group in
      var job = Case(testDescription: "unequal")
      job.samples = 40 + group.rank
      _ = try SharedRun.quantize(job, model: TinyModel.folder, group, folder: folder.url, observer: RecordingObserver())
    }
    for result in results {
      #expect(throws: QuantizationError.ranksDiffer(what: "calibration data", ranks: [0, 1])) { try result.get() }
    }
  }

  @Test("A model with experts needs one rank")
  func refusesExperts() throws {
    let model = TinyModel.folder.deletingLastPathComponent().appending(component: "mixtral")
    let results = ThreadRanks.run(2) { group in
      _ = try ModelQuantizer(model: model, options: QuantizationOptions(groupSize: 32), ranks: group)
    }
    for result in results {
      #expect(throws: QuantizationError.needsOneRank(what: "a model with experts", ranks: 2)) { try result.get() }
    }
  }

  @Test("Perplexity has the same bits with any number of ranks and cores")
  func perplexity() throws {
    let sequences = TokenSequences(length: 200, tokens: TinyModel.rows(90, length: 200).flatMap(\.self))
    let scratch = try TemporaryFolder()
    func values(ranks: Int) throws -> [Perplexity] {
      try ThreadRanks.run(ranks) { group in
        try Perplexity(
          of: ModelConfiguration(folder: TinyModel.folder), weights: CheckpointFolder(TinyModel.folder), on: sequences,
          scratch: scratch.url, ranks: group, checkCancellation: {}, report: { _ in })
      }.map { try $0.get() }
    }
    let one = try values(ranks: 1)[0]
    #expect(one.value.isFinite && one.tokens == 90 * 199)
    for ranks in [2, 3, 7] { #expect(try values(ranks: ranks).allSatisfy { $0 == one }, "\(ranks) ranks") }
    // Process-wide, so tests that run at the same time compute on as many; none depends on it.
    for cores in [1, 3, 50] {
      Cores.perJob = cores
      defer { Cores.perJob = 0 }
      #expect(try values(ranks: 2).allSatisfy { $0 == one }, "\(cores) cores")
    }
  }
}
