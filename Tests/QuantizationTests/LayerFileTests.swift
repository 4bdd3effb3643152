import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import Testing

/// Layer jobs, and the rows of NUMERICS section 7 that concern the Hessian.
@Suite struct LayerFileTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/solver")
  private let options = QuantizationOptions(groupSize: 8, ordering: .none, errorCompensation: 0)

  private func write(_ tensors: [(name: String, matrix: Matrix<Float>)], to folder: URL, metadata: [String: String] = [:]) throws -> URL {
    let file = folder.appending(component: "captured.safetensors")
    let infos = tensors.map { TensorInfo(name: $0.name, type: .float32, shape: [$0.matrix.rows, $0.matrix.columns]) }
    var writer = try SafetensorsWriter(file, tensors: infos, metadata: metadata)
    for tensor in tensors { try tensor.matrix.elements.withUnsafeBytes { try writer.write($0, of: tensor.name) } }
    try writer.finish()
    return file
  }

  private let weight = Matrix<Float>(rows: 8, columns: 8, elements: (0..<64).map { Float(($0 * 37 % 41) - 20) / 20 })

  /// Ones on the diagonal, `coupling` between columns 0 and 1: eigenvalues 1 ± coupling.
  private func hessian(_ coupling: Float) -> Matrix<Float> {
    var hessian = Matrix<Float>(rows: 8, columns: 8)
    for index in 0..<8 { hessian[index, index] = 1 }
    (hessian[0, 1], hessian[1, 0]) = (coupling, coupling)
    return hessian
  }

  private func run(_ file: URL, recovery: RecoveryPolicy = RecoveryPolicy(), observer: RecordingObserver = RecordingObserver()) throws
    -> (outcomes: [LayerOutcome], artifact: SafetensorsFile)
  {
    let folder = try TemporaryFolder()
    let blocks = try BlockFiles(in: folder.url.appending(component: "blocks"))
    let layers = try LayerFile(file)
    let outcomes = try layers.run(
      QuantizationPlan(options), recovery: recovery, blocks: blocks, source: BlockSource([:]), observer: observer
    ).outcomes
    let artifact = folder.url.appending(component: "artifact")
    try layers.writeArtifact(QuantizationPlan(options), blocks: blocks, folder: artifact)
    return (outcomes, try SafetensorsFile(artifact.appending(component: "model.safetensors")))
  }

  @Test("40 tokens for 128 columns are called starved before any damping")
  func namesStarvation() throws {
    let file = Self.fixtures.appending(component: "b4-g32-few-tokens.safetensors")
    let layers = try LayerFile(file)
    #expect(layers.layers.map(\.name) == ["b4-g32-few-tokens"])
    let (outcomes, artifact) = try run(file)
    let first = try #require(outcomes.first?.attempts.first)
    #expect(first.cause == .starved)
    let detail = try #require(first.detail)
    #expect(detail.hasPrefix("40 tokens for 128 columns, 256 are wanted"))
    #expect(outcomes[0].attempts.last?.succeeded == true)
    #expect(artifact.tensors.map(\.name).contains("b4-g32-few-tokens.qweight"))
  }

  @Test("A Hessian that needs damping 0.2 gets it, by the ladder, in float64")
  func climbs() throws {
    let folder = try TemporaryFolder()
    let file = try write([("a.weight", weight), ("a.hessian", hessian(1.15))], to: folder.url)
    let outcome = try #require(try run(file).outcomes.first)
    #expect(outcome.method == .gptq && outcome.damping == 0.2)
    #expect(outcome.attempts.map(\.damping) == [0.01, 0.01, 0.02, 0.05, 0.1, 0.2])
    #expect(outcome.attempts.map(\.remedy) == [.float64, .damping, .damping, .damping, .damping, nil])
    #expect(outcome.cure == KnownCure(damping: 0.2, precision: .float64))
  }

  @Test("Rounding is cured by float64 once")
  func curesRounding() throws {
    let folder = try TemporaryFolder()
    // Eigenvalues 2·10⁶ and 10⁻³ after damping 0: float32 files can't hold the difference, so it comes from inputs.
    var inputs = Matrix<Float>(rows: 32, columns: 8)
    for row in 0..<32 {
      for column in 0..<8 { inputs[row, column] = 1000 + (row % 8 == column ? 0.03 : 0) }
    }
    let file = try write([("a.weight", weight), ("a.inputs", inputs)], to: folder.url)
    var options = options
    options.damping = 0
    let blocks = try BlockFiles(in: folder.url.appending(component: "blocks"))
    let outcomes = try LayerFile(file).run(
      QuantizationPlan(options), recovery: RecoveryPolicy(), blocks: blocks, source: BlockSource([:]), observer: RecordingObserver()
    ).outcomes
    #expect(outcomes[0].attempts.filter { $0.detail == nil }.first?.precision == .float32)
    #expect(outcomes[0].attempts.last?.precision == .float64)
  }

  @Test("What nothing cures fails with every try, under policy fail")
  func fails() throws {
    let folder = try TemporaryFolder()
    let file = try write([("a.weight", weight), ("a.hessian", hessian(5))], to: folder.url)
    let observer = RecordingObserver()
    let error = try #require(throws: QuantizationError.self) { try run(file, observer: observer) }
    guard case .notPositiveDefinite(let layer, let columns, let attempts) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(layer == "a" && columns == 8 && attempts.count == 8)
    #expect(attempts.last?.cause == .incurable && attempts.last?.remedy == .fail)
    #expect(observer.attempts.count == 8)
  }

  @Test("Under policy rtn it is rounded to nearest, and named as degraded with its cause")
  func roundsToNearest() throws {
    let folder = try TemporaryFolder()
    let file = try write([("a.weight", weight), ("a.hessian", hessian(5))], to: folder.url)
    let observer = RecordingObserver()
    let (outcomes, artifact) = try run(file, recovery: RecoveryPolicy(onExhausted: .rtn), observer: observer)
    #expect(outcomes[0].method == .rtn && outcomes[0].degradedBy == .incurable)
    #expect(outcomes[0].attempts.last?.remedy == .rtn)
    #expect(artifact.tensors.map(\.name).contains("a.qweight"))
    #expect(observer.warnings.contains { $0.contains("a is degraded") && $0.contains("rounded to nearest") })
  }

  @Test("Under policy keep nothing is stored for it, and the others are quantized")
  func keeps() throws {
    let folder = try TemporaryFolder()
    let file = try write(
      [("a.weight", weight), ("a.hessian", hessian(5)), ("b.weight", weight), ("b.hessian", hessian(0.1))], to: folder.url)
    let (outcomes, artifact) = try run(file, recovery: RecoveryPolicy(onExhausted: .keep))
    #expect(outcomes.map(\.method) == [.keep, .gptq])
    #expect(outcomes.map(\.degradedBy) == [.incurable, nil])
    #expect(artifact.tensors.map(\.name).sorted() == ["b.g_idx", "b.qweight", "b.qzeros", "b.scales"])
  }

  @Test("A Hessian of no tokens is never taken for one of dead channels", arguments: [RecoveryPolicy.Exhausted.rtn, .keep])
  func refusesNoTokens(_ policy: RecoveryPolicy.Exhausted) throws {
    let folder = try TemporaryFolder()
    let file = try write([("a.weight", weight), ("a.hessian", Matrix(rows: 8, columns: 8))], to: folder.url)
    let (outcomes, _) = try run(file, recovery: RecoveryPolicy(onExhausted: policy))
    #expect(outcomes[0].degradedBy == .incurable)
    #expect(outcomes[0].attempts.last?.detail == "no token activates this layer")
  }

  @Test("NaN names tensor, row and column", arguments: ["a.weight", "a.hessian"])
  func refusesNaN(_ tensor: String) throws {
    let folder = try TemporaryFolder()
    var tensors = [("a.weight", weight), ("a.hessian", hessian(0))]
    for index in tensors.indices where tensors[index].0 == tensor { tensors[index].1[2, 5] = .nan }
    let file = try write(tensors.map { (name: $0.0, matrix: $0.1) }, to: folder.url)
    let error = try #require(throws: QuantizationError.self) { try run(file) }
    #expect(error == .nonFiniteTensor(tensor: tensor, row: 2, column: 5))
  }

  @Test(
    "A file without what a layer needs is refused in words",
    arguments: [
      (["b.bias"], "holds no tensor named NAME.weight"), (["a.weight"], "layer a: it has neither hessian nor inputs"),
    ])
  func refusesOtherFiles(_ names: [String], _ message: String) throws {
    let folder = try TemporaryFolder()
    let file = try write(names.map { ($0, weight) }, to: folder.url)
    let error = try #require(throws: QuantizationError.self) { try LayerFile(file) }
    #expect(error.description.contains(message))
  }

  @Test("A Hessian that isn't symmetric is refused by row and column")
  func refusesAsymmetry() throws {
    let folder = try TemporaryFolder()
    var lopsided = hessian(0.1)
    lopsided[2, 5] = 0.5
    let file = try write([("a.weight", weight), ("a.hessian", lopsided)], to: folder.url)
    let error = try #require(throws: QuantizationError.self) { try run(file) }
    #expect(error.description.contains("layer a: its hessian is not symmetric: 0.0 at row 5, column 2, 0.5 across the diagonal"))
  }

  @Test("A Hessian of another size is refused")
  func refusesOtherShapes() throws {
    let folder = try TemporaryFolder()
    let file = try write([("a.weight", weight), ("a.hessian", Matrix(rows: 4, columns: 4))], to: folder.url)
    let error = try #require(throws: QuantizationError.self) { try LayerFile(file) }
    #expect(error.description == "layer a: its hessian is [4, 4], [8, 8] is needed")
  }
}
