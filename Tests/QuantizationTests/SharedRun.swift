import Checkpoint
import Foundation
import Quantization
import Ranks
import Testing
import Transformer

/// A job that several ranks did, and what came of it.
struct SharedRun {
  /// Of each tensor of each finished block.
  let blocks: [[String: Data]]
  let artifact: ArtifactDigest
  /// What became of layers, and what the owner was told, but for times.
  let told: Told
  /// Floating-point operations that rank 0 was told of.
  let work: Double
  let moreWork: Double
  private let folder: TemporaryFolder

  struct Told: Sendable {
    let outcomes: [String]
    let warnings: [String]
    let samples: Int
    let dropped: [NonFiniteActivation]
    let peaks: [String]

    func expectSame(_ other: Told) {
      #expect(outcomes.count == other.outcomes.count)
      for (one, other) in zip(outcomes, other.outcomes) { #expect(one == other) }
      #expect(warnings == other.warnings)
      #expect(samples == other.samples && dropped == other.dropped)
      #expect(peaks == other.peaks)
    }
  }

  /// - Parameter cancelAt: Layer whose beginning stops rank 0.
  init(_ job: RankTests.Case, ranks: Int, folder: TemporaryFolder? = nil, cancelAt: String? = nil) throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    let models = try TemporaryFolder()
    let results = Self.results(job, model: try job.model(in: models.url), ranks: ranks, folder: folder, cancelAt: cancelAt, on: 0)
    let first = try results[0].get()
    for result in results.dropFirst() { first.told.expectSame(try result.get().told) }
    (told, work, moreWork) = first
    artifact = try ArtifactDigest(of: folder.url.appending(component: "artifact"), checkCancellation: {})
    let blocksFolder = folder.url.appending(component: "blocks")
    blocks = try FileManager.default.contentsOfDirectory(atPath: blocksFolder.path).filter { $0.hasPrefix("block-") }.sorted().map { name in
      let file = try SafetensorsFile(blocksFolder.appending(component: name))
      return try Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, try file.withBytes(of: $0.name) { Data($0) }) })
    }
  }

  func expectSame(_ other: SharedRun) {
    #expect(blocks.count == other.blocks.count)
    for (block, (one, other)) in zip(blocks, other.blocks).enumerated() {
      #expect(one.keys == other.keys, "block \(block)")
      #expect(one.keys.filter { one[$0] != other[$0] } == [], "block \(block)")
    }
    #expect(artifact == other.artifact)
    told.expectSame(other.told)
  }

  typealias Part = (told: Told, work: Double, moreWork: Double)

  /// - Parameters:
  ///   - cancelAt: Layer whose beginning stops a rank.
  ///   - rank: That is stopped.
  static func results(
    _ job: RankTests.Case, model: URL, ranks: Int, folder: TemporaryFolder, cancelAt: String? = nil, on rank: Int = 0
  ) -> [Result<Part, any Error>] {
    ThreadRanks.run(ranks) { group in
      let observer = RecordingObserver(cancelAt: group.rank == rank ? cancelAt : nil)
      let result = try quantize(job, model: model, group, folder: folder.url, observer: observer)
      return (
        Told(
          outcomes: try result.outcomes.map(description),
          warnings: result.warnings, samples: result.samples, dropped: result.dropped,
          peaks: result.peaks.map { block in block.map { "\($0.key) \($0.value)" }.sorted().joined(separator: ", ") }),
        observer.work, observer.moreWork
      )
    }
  }

  /// One rank's part; rank 0 puts the artifact together.
  static func quantize(
    _ job: RankTests.Case, model: URL, _ group: some RankGroup, folder: URL, observer: RecordingObserver
  ) throws -> ModelQuantizer.Result {
    var quantizer = try ModelQuantizer(model: model, options: job.options, rules: job.rules, quantizesHead: job.head, ranks: group)
    quantizer.keepsHiddenStatesEvery = .zero
    let blocks = try BlockFiles(in: folder.appending(component: "blocks"))
    let result = try quantizer.run(
      calibration: job.options.method == .rtn ? nil : job.calibration(), recovery: job.recovery, blocks: blocks, source: BlockSource([:]),
      scratch: folder, observer: observer)
    if group.rank == 0 {
      try ArtifactAssembler(quantizer, blocks: blocks, folder: folder.appending(component: "artifact"))
        .write(shardLimit: 1 << 30, checkCancellation: {})
    }
    return result
  }

  private static func description(_ outcome: LayerOutcome) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(outcome), as: UTF8.self).replacing(#/"seconds":[^,}]*/#, with: "")
  }
}
