import Foundation
import Quantization
import Ranks
import Transformer

/// A job from opening the checkpoint to the artifact on disk, in this process.
struct JobRun: Codable, Sendable {
  /// All of it.
  let seconds: Double
  /// Of that, putting the artifact together.
  let assemblySeconds: Double
  /// Factorisations that float32 wasn't enough for.
  let float64Factorizations: Int
  let layers: Int

  /// - Parameter scratch: Folder for finished blocks, hidden states and the artifact.
  init(_ job: JobSpecification, in scratch: URL) throws {
    let start = ContinuousClock.now
    let observer = AttemptCounter()
    let done = try job.run(in: scratch, observer: observer)
    seconds = (ContinuousClock.now - start) / .seconds(1)
    assemblySeconds = done.assemblySeconds
    float64Factorizations = observer.float64Factorizations
    layers = done.result.outcomes.count
  }
}

extension JobSpecification {
  /// Does the job, or this rank's part of it; rank 0 puts the artifact together.
  ///
  /// - Parameter scratch: Folder for finished blocks, hidden states and, as `artifact`, what comes of it.
  func run(
    in scratch: URL, ranks: any RankGroup = SoloRank(), observer: some QuantizationObserver
  ) throws -> (result: ModelQuantizer.Result, assemblySeconds: Double) {
    let quantizer = try ModelQuantizer(model: model, options: options, memoryLimit: memoryLimit, ranks: ranks)
    let dataset = try dataset(vocabulary: quantizer.configuration.vocabularySize)
    let calibration = try CalibrationData(dataset, tokenizer: nil, samples: samples, length: length, seed: seed)
    let blocks = try BlockFiles(in: scratch.appending(component: "blocks"))
    let result = try quantizer.run(
      calibration: calibration, recovery: RecoveryPolicy(escalation: []), blocks: blocks, source: BlockSource([:]), scratch: scratch,
      observer: observer)
    let assembly = ContinuousClock.now
    if ranks.rank == 0 {
      let artifact = try ArtifactAssembler(quantizer, blocks: blocks, folder: scratch.appending(component: "artifact"))
      try artifact.write(shardLimit: 4 << 30, checkCancellation: {})
    }
    return (result, (ContinuousClock.now - assembly) / .seconds(1))
  }
}

extension JobSpecification {
  fileprivate func dataset(vocabulary: Int) throws -> TextDataset {
    if let tokens { return try TextDataset(contentsOf: tokens) }
    var stream = RandomStream(seed: seed)
    let rows = (0..<samples).map { _ in
      TextDataset.Row.tokens((0..<length).map { _ in Int32(truncatingIfNeeded: stream.next() % UInt64(vocabulary)) })
    }
    return TextDataset(name: "random tokens", rows: rows)
  }
}

private final class AttemptCounter: QuantizationObserver {
  private(set) var float64Factorizations = 0

  func began(_ layer: LayerIdentity) {}
  func tried(_ attempt: Attempt, for layer: LayerIdentity, loss: Double?) {
    if attempt.precision == .float64 { float64Factorizations += 1 }
  }
  func finished(_ outcome: LayerOutcome) {}
  func warn(_ message: String) {}
  func knownCure(for layer: LayerIdentity) -> KnownCure? { nil }
  func beganCountedWork() {}
  func did(_ flops: Double) {}
  func needsMore(_ flops: Double) {}
  func checkCancellation() {}
}
