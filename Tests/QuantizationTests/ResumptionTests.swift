import Checkpoint
import Foundation
import Quantization
import Testing

/// A run that was interrupted goes on from its last finished block, and ends with the bytes and words of one that wasn't.
@Suite struct ResumptionTests {
  private let options = QuantizationOptions(groupSize: 32)
  private let calibration: CalibrationData

  init() throws { calibration = try TinyModel.data(TinyModel.rows(24)) }

  private func run(
    _ folder: TemporaryFolder, calibration: CalibrationData? = nil, head: Bool = false,
    recovery: RecoveryPolicy = RecoveryPolicy(escalation: []),
    hidden: Duration? = nil, source: BlockSource = BlockSource([:]), observer: RecordingObserver = RecordingObserver()
  ) throws -> QuantizationRun {
    try QuantizationRun(
      TinyModel.folder, options: options, calibration: calibration ?? self.calibration, quantizesHead: head, recovery: recovery,
      keepsHiddenStatesEvery: hidden, source: source, observer: observer, folder: folder)
  }

  private func interrupt(
    _ folder: TemporaryFolder, at layer: String, calibration: CalibrationData? = nil,
    recovery: RecoveryPolicy = RecoveryPolicy(escalation: []), hidden: Duration? = nil
  ) {
    #expect(throws: QuantizationCancelled.self) {
      _ = try run(folder, calibration: calibration, recovery: recovery, hidden: hidden, observer: RecordingObserver(cancelAt: layer))
    }
  }

  private static func hiddenStates(_ folder: TemporaryFolder) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(component: "blocks").path).filter { $0.hasPrefix("hidden-") }
  }

  private static func expectSame(_ one: QuantizationRun, _ other: QuantizationRun) throws {
    #expect(try bytes(one) == bytes(other))
    #expect(one.result.warnings == other.result.warnings)
    // Times differ; all else an attempt says doesn't.
    func told(_ run: QuantizationRun) -> [[String]] {
      run.outcomes.map { outcome in
        outcome.attempts.map { "\($0.number) \($0.cause as Any) \($0.detail as Any) \($0.damping) \($0.tokens)" }
      }
    }
    #expect(told(one) == told(other))
  }

  private static func bytes(_ run: QuantizationRun) throws -> Data {
    try Data(contentsOf: run.artifact.appending(component: "model.safetensors"))
  }

  @Test("Kept hidden states spare the passes through finished blocks")
  func keepsHiddenStates() throws {
    let undisturbed = try run(TemporaryFolder())
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.2.mlp.gate_proj", hidden: .zero)
    #expect(try Self.hiddenStates(folder) == ["hidden-2.safetensors"])
    let observer = RecordingObserver()
    let resumed = try run(folder, hidden: .zero, observer: observer)
    #expect(observer.moreWork == 0)
    #expect(Set(observer.finished.map(\.layer.block)) == [2])
    try Self.expectSame(resumed, undisturbed)
  }

  @Test("Where they weren't kept, or are of an earlier block, the rest is computed again")
  func computesWhatWasntKept() throws {
    let undisturbed = try run(TemporaryFolder())
    let (without, part) = (try TemporaryFolder(), try TemporaryFolder())
    interrupt(without, at: "model.layers.2.self_attn.q_proj")
    interrupt(part, at: "model.layers.1.self_attn.q_proj", hidden: .zero)
    interrupt(part, at: "model.layers.2.self_attn.q_proj")
    #expect(try Self.hiddenStates(without) == [])
    #expect(try Self.hiddenStates(part) == ["hidden-1.safetensors"])
    let (all, half) = (RecordingObserver(), RecordingObserver())
    try Self.expectSame(try run(without, observer: all), undisturbed)
    try Self.expectSame(try run(part, observer: half), undisturbed)
    #expect(half.moreWork > 0 && abs(half.moreWork / all.moreWork - 0.5) < 0.01)
  }

  @Test("Hidden states that were damaged on disk are computed again", arguments: [40, 3000, 100_000])
  func distrustsHiddenStates(offset: Int) throws {
    let undisturbed = try run(TemporaryFolder())
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.2.mlp.gate_proj", hidden: .zero)
    let file = folder.url.appending(path: "blocks/hidden-2.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[offset] ^= 1
    try bytes.write(to: file)
    let observer = RecordingObserver()
    try Self.expectSame(try run(folder, observer: observer), undisturbed)
    #expect(observer.moreWork > 0)
  }

  /// A block that is made again may become another: damping and recovery may change between two starts.
  @Test("Hidden states that come out of a block which isn't finished aren't used")
  func forgetsStatesOfUnfinishedBlocks() throws {
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.2.mlp.gate_proj", hidden: .zero)
    let blocks = folder.url.appending(component: "blocks")
    try FileManager.default.removeItem(at: blocks.appending(component: "block-00001.safetensors"))
    interrupt(folder, at: "model.layers.1.mlp.gate_proj")
    #expect(try Self.hiddenStates(folder) == [])
  }

  @Test("A block that was damaged on disk is made again, with those behind it", arguments: [40, 3000])
  func distrustsBlocks(offset: Int) throws {
    let undisturbed = try run(TemporaryFolder())
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.2.mlp.gate_proj")
    let file = folder.url.appending(path: "blocks/block-00001.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[offset] ^= 1
    try bytes.write(to: file)
    let blocks = try BlockFiles(in: folder.url.appending(component: "blocks"))
    let survey = try blocks.survey(source: BlockSource([:]))
    #expect(survey.count == 1)
    #expect(survey.rejection == "the file of block 1 is damaged")
    let observer = RecordingObserver()
    try Self.expectSame(try run(folder, observer: observer), undisturbed)
    #expect(Set(observer.finished.map(\.layer.block)) == [1, 2])
  }

  @Test("Blocks that were made from something else are made again, and it is said what changed")
  func noticesChanges() throws {
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.2.mlp.gate_proj")
    let blocks = try BlockFiles(in: folder.url.appending(component: "blocks"))
    let source = BlockSource(["the model": "1", "the dataset": "2"])
    #expect(try blocks.survey(source: source).rejection == "the dataset and the model changed since block 0 was made")
    let observer = RecordingObserver()
    _ = try run(folder, source: source, observer: observer)
    #expect(Set(observer.finished.map(\.layer.block)) == [0, 1, 2])
    #expect(try blocks.survey(source: source).count == 3)
    let other = BlockSource(["the model": "1", "the dataset": "3"])
    #expect(try blocks.survey(source: other).rejection == "the dataset changed since block 0 was made")
  }

  /// Each lot of sequences has its own held-out tenth, so that the order in which they came matters.
  @Test("Sequences that starved layers asked for are the same after an interruption", arguments: [nil, Duration.zero])
  func keepsLots(hidden: Duration?) throws {
    let calibration = try TinyModel.data(TinyModel.rows(90, length: 16), samples: 4)
    let recovery = RecoveryPolicy(escalation: [7, 20, 41, 90])
    let undisturbed = try run(TemporaryFolder(), calibration: calibration, recovery: recovery)
    #expect(undisturbed.result.samples > 7)
    for layer in ["model.layers.1.self_attn.q_proj", "model.layers.2.mlp.down_proj"] {
      let folder = try TemporaryFolder()
      interrupt(folder, at: layer, calibration: calibration, recovery: recovery, hidden: hidden)
      try Self.expectSame(try run(folder, calibration: calibration, recovery: recovery, hidden: hidden), undisturbed)
    }
  }

  @Test("What the owner was told before the interruption is told once, in the same words")
  func keepsWarnings() throws {
    let calibration = try TinyModel.data(TinyModel.rows(4, length: 8))
    let recovery = RecoveryPolicy(escalation: [], onExhausted: .rtn)
    let undisturbed = try run(TemporaryFolder(), calibration: calibration, recovery: recovery)
    #expect(undisturbed.result.warnings.contains { $0.contains("starved") })
    let folder = try TemporaryFolder()
    interrupt(folder, at: "model.layers.1.mlp.gate_proj", calibration: calibration, recovery: recovery)
    try Self.expectSame(try run(folder, calibration: calibration, recovery: recovery), undisturbed)
  }

  @Test("A full disk where hidden states would be kept stops nothing")
  func goesOnWithoutRoom() throws {
    let folder = try TemporaryFolder()
    let blocks = folder.url.appending(component: "blocks")
    try FileManager.default.createDirectory(at: blocks.appending(component: "hidden-1.safetensors.tmp"), withIntermediateDirectories: true)
    let undisturbed = try run(TemporaryFolder())
    try Self.expectSame(try run(folder, hidden: .zero), undisturbed)
  }
}
