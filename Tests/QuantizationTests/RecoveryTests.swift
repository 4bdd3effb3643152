import Foundation
import LinearAlgebra
import Quantization
import Testing
import Transformer

/// A test for each row of NUMERICS section 7 that concerns activations; `LayerFileTests` has those that concern the Hessian.
@Suite struct RecoveryTests {
  private let options = QuantizationOptions(groupSize: 32)

  @Test("Activations beyond float16 are quantized in float32 without a trace of infinity, and the job says what float16 will do")
  func survivesFloat16Overflow() throws {
    let folder = try TemporaryFolder()
    try TinyModel.write(to: folder.url, as: .float16) { name, values in
      guard name.contains("q_proj") || name.contains("k_proj") else { return }
      for index in values.indices { values[index] *= 300 }
    }
    let run = try QuantizationRun(folder.url, options: options, calibration: TinyModel.data(TinyModel.rows(8)))
    #expect(run.result.dropped.isEmpty)
    #expect(run.outcomes.allSatisfy { $0.method == .gptq && $0.loss?.isFinite == true })
    let scores = try #require(run.result.peaks.first?[.attentionScores])
    #expect(scores.isFinite && scores > 65504)
    let warning = try #require(Float16Overflow.warning(run.result.peaks))
    #expect(warning.contains("attention scores of block 0") && warning.contains("float16 inference of this model will overflow"))
  }

  @Test("A model whose activations fit float16 gets no such warning")
  func acceptsUsualActivations() throws {
    let run = try QuantizationRun(TinyModel.folder, options: options, calibration: TinyModel.data(TinyModel.rows(8)))
    #expect(Float16Overflow.warning(run.result.peaks) == nil)
  }

  private func data(badSamples: Int, of count: Int) throws -> CalibrationData {
    var rows = TinyModel.rows(count, length: 16)
    for row in 0..<badSamples { rows[row * 7][5] = 159 }
    return try TinyModel.data(rows)
  }

  @Test("One bad sample among many is dropped where it stops being finite, and the row says block, operation, sample, token and channel")
  func dropsABadSample() throws {
    let folder = try TemporaryFolder()
    try TinyModel.writeOverflowing(to: folder.url)
    let data = try data(badSamples: 1, of: 200)
    let position = try #require(data.initial.tokens.firstIndex(of: 159))
    let run = try QuantizationRun(folder.url, options: options, calibration: data)
    let dropped = try #require(run.result.dropped.first)
    #expect(run.result.dropped.count == 1)
    #expect(dropped.block == 0 && dropped.operation == .gatedProduct)
    #expect(dropped.sample == position / 16 && dropped.token == position % 16)
    let down = try #require(run.outcome("model.layers.0.mlp.down_proj"))
    #expect(down.attempts.first?.cause == .nonFiniteInput && down.attempts.first?.remedy == .droppedSamples)
    let detail = try #require(down.attempts.first?.detail)
    #expect(detail.contains("block 0, gated product: sample \(dropped.sample), token \(dropped.token)"))
    #expect(down.tokens == 179 * 16 || down.tokens == 180 * 16)  // 20 are held out; the dropped one may be one of them
    #expect(run.outcomes.allSatisfy { $0.method == .gptq && $0.loss?.isFinite == true })
    #expect(run.observer.warnings.contains { $0.contains("sample \(dropped.sample) was dropped") })
  }

  @Test("More than 1 % of bad samples fail the layer, and damping isn't tried on it")
  func failsOnManyBadSamples() throws {
    let folder = try TemporaryFolder()
    try TinyModel.writeOverflowing(to: folder.url)
    let observer = RecordingObserver()
    let error = try #require(throws: QuantizationError.self) {
      try QuantizationRun(folder.url, options: options, calibration: data(badSamples: 3, of: 200), observer: observer)
    }
    guard case .nonFiniteActivation(let activation, let layer, let samples, let count) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(activation.operation == .gatedProduct && layer == "model.layers.0.mlp.down_proj" && samples == 3 && count == 200)
    let attempts = observer.attempts.filter { $0.layer == layer }.map(\.attempt)
    #expect(!attempts.isEmpty && attempts.allSatisfy { $0.cause == .nonFiniteInput })
  }

  @Test("A channel that is always 0 is counted, and only where it is")
  func countsDeadChannels() throws {
    let folder = try TemporaryFolder()
    try TinyModel.write(to: folder.url) { name, values in
      if name == "model.layers.1.input_layernorm.weight" { (values[3], values[40]) = (0, 0) }
    }
    let run = try QuantizationRun(folder.url, options: options, calibration: TinyModel.data(TinyModel.rows(8)))
    for outcome in run.outcomes {
      let reads = ["q_proj", "k_proj", "v_proj"].map { "model.layers.1.self_attn." + $0 }.contains(outcome.layer.name)
      #expect(outcome.deadColumns == (reads ? 2 : 0), "\(outcome.layer.name)")
    }
  }

  @Test("A starved layer goes on to more sequences, which add to what is there: the result is that of having had them at once")
  func escalates() throws {
    var options = options
    options.errorCompensation = 0
    let rows = TinyModel.rows(16)
    let escalated = try QuantizationRun(
      TinyModel.folder, options: options, calibration: TinyModel.data(rows, samples: 2), recovery: RecoveryPolicy(escalation: [3, 8]))
    let query = try #require(escalated.outcomes.first)
    // 64 tokens for 64 columns, then 96, then 256.
    #expect(query.attempts.map(\.cause) == [.starved, .starved, nil])
    #expect(query.attempts.map(\.tokens) == [64, 96, 256])
    #expect(query.attempts.map(\.remedy) == [.moreSamples, .moreSamples, nil])
    #expect(escalated.result.samples == 8)
    let atOnce = try QuantizationRun(
      TinyModel.folder, options: options, calibration: TinyModel.data(rows, samples: 8), recovery: RecoveryPolicy(escalation: []))
    for (one, other) in zip(escalated.outcomes, atOnce.outcomes) {
      #expect(one.tokens == other.tokens)
      // Chunks of other sizes: float32 products in another order.
      let (loss, otherLoss) = (try #require(one.loss), try #require(other.loss))
      #expect(abs(loss / otherLoss - 1) < 0.02, "\(one.layer.name)")
    }
  }

  @Test("Later layers that starve get sequences that went through the quantized layers before them")
  func escalatesLater() throws {
    // 160 tokens: enough for 64 columns, not for the 96 of the down projection.
    let rows = TinyModel.rows(16)
    let run = try QuantizationRun(
      TinyModel.folder, options: options, calibration: TinyModel.data(rows, samples: 6), recovery: RecoveryPolicy(escalation: [12]))
    let down = try #require(run.outcome("model.layers.0.mlp.down_proj"))
    #expect(down.attempts.first?.cause == .starved && down.attempts.first?.tokens == 160)
    #expect(down.tokens == 320)  // 6 + 6 sequences, one of each lot held out
    #expect(run.outcome("model.layers.0.mlp.up_proj")?.tokens == 160)
    #expect(run.outcome("model.layers.1.self_attn.q_proj")?.tokens == 320)
    #expect(run.outcomes.allSatisfy { ($0.relativeLoss ?? 1) < 0.1 })
  }

  @Test("Where the data has no more rows, the warning and the row say so")
  func saysThatDataEnds() throws {
    let run = try QuantizationRun(
      TinyModel.folder, options: options, calibration: TinyModel.data(TinyModel.rows(2)), recovery: RecoveryPolicy())
    #expect(run.observer.warnings.contains { $0.contains("is starved") && $0.contains("no more rows") })
    let first = try #require(run.outcomes.first?.attempts.first)
    #expect(first.cause == .starved && first.remedy == .damping)
    let detail = try #require(first.detail)
    #expect(detail.contains("the calibration data has no more rows"))
  }

  @Test("A layer that was cured before starts there, and its row says so")
  func startsFromHistory() throws {
    let layer = "model.layers.1.mlp.gate_proj"
    let observer = RecordingObserver(cures: [layer: KnownCure(damping: 0.2, precision: .float64)])
    let run = try QuantizationRun(
      TinyModel.folder, options: options, calibration: TinyModel.data(TinyModel.rows(8)), observer: observer)
    let attempts = try #require(run.outcome(layer)).attempts
    #expect(attempts.map(\.origin) == [.history])
    #expect(attempts.map(\.damping) == [0.2] && attempts.map(\.precision) == [.float64])
    #expect(run.outcome("model.layers.1.mlp.down_proj")?.attempts.map(\.origin) == [.request])
  }

  @Test("A run that was interrupted goes on from its last finished block, to the same bytes")
  func resumes() throws {
    let rows = TinyModel.rows(8)
    let folder = try TemporaryFolder()
    #expect(throws: QuantizationCancelled.self) {
      try QuantizationRun(
        TinyModel.folder, options: options, calibration: TinyModel.data(rows), observer: RecordingObserver(cancelAfterLayers: 16),
        folder: folder)
    }
    let resumed = try QuantizationRun(TinyModel.folder, options: options, calibration: TinyModel.data(rows), folder: folder)
    #expect(resumed.observer.finished.count == 7)
    #expect(resumed.outcomes.count == 21)
    let whole = try QuantizationRun(TinyModel.folder, options: options, calibration: TinyModel.data(rows))
    let digests = try [resumed, whole].map { try ArtifactDigest(of: $0.artifact, checkCancellation: {}) }
    #expect(digests[0] == digests[1])
  }

  @Test("Error compensation is off with a single sequence, and the job says why")
  func needsAHeldOutSequence() throws {
    let run = try QuantizationRun(TinyModel.folder, options: options, calibration: TinyModel.data(TinyModel.rows(1, length: 250)))
    #expect(run.observer.warnings.contains { $0.contains("error compensation needs at least 2") })
    #expect(run.outcomes.allSatisfy { $0.kept.errorCompensation == 0 })
  }
}
