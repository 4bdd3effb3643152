import Checkpoint
import Foundation
import LinearAlgebra
import Quantization

/// A layer with what the classic three-factorisation algorithm makes of it in float64 (Tests/…/Fixtures/solver).
struct GoldenSolverCase {
  let weight: Matrix<Float>
  /// 2/T·XᵀX in float64.
  let hessian: Matrix<Double>
  let options: QuantizationOptions
  let codes: [Int32]
  let scales: [Float16]
  let zeros: [Int32]
  let groupIndices: [Int32]
  let dequantized: Matrix<Float>
  let loss: Double
  let relativeLoss: Double
  private let file: SafetensorsFile

  static let names = [
    "b2-g32-sym", "b3-g32-sym", "b3-g64-asym-act", "b4-g128-partial-group", "b4-g128-sym-act", "b4-g128-sym-gar", "b4-g32-asym",
    "b4-g32-dead-columns", "b4-g32-few-tokens", "b4-g32-low-rank", "b4-g32-sym", "b4-perchannel-sym", "b8-g32-sym",
  ]

  init(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/solver")
    let file = try SafetensorsFile(folder.appending(component: name + ".safetensors"))
    self.file = file
    func field(_ name: String) throws -> String {
      guard let value = file.metadata[name] else { throw CheckpointError.missingTensor(name) }
      return value
    }
    func matrix(_ name: String) throws -> Matrix<Float> {
      guard let info = file.tensors.first(where: { $0.name == name }) else { throw CheckpointError.missingTensor(name) }
      return Matrix(rows: info.shape[0], columns: info.shape[1], elements: try Self.values(file, name))
    }
    let ordering: QuantizationOptions.ColumnOrdering =
      switch try field("order") {
      case "act": .descendingActivation
      case "gar": .groupAware
      default: .none
      }
    let group = try Int(field("group_size")) ?? 0
    options = QuantizationOptions(
      bits: try Int(field("bits")) ?? 0, groupSize: group > 0 ? group : nil, isSymmetric: try field("sym").lowercased() == "true",
      ordering: ordering, damping: try Double(field("damp")) ?? 0, format: .v2,
      searchesScales: false, refinesScales: false)
    weight = try matrix("weight")
    hessian = Self.hessian(of: Matrix<Double>(try matrix("inputs")))
    codes = try Self.values(file, "codes")
    scales = try Self.values(file, "scales")
    zeros = try Self.values(file, "zeros")
    groupIndices = try Self.values(file, "g_idx")
    dequantized = try matrix("dequantized")
    loss = try Double(field("loss")) ?? .nan
    relativeLoss = try Double(field("relative_loss")) ?? .nan
  }

  /// nil where the golden file doesn't have it.
  func words(_ name: String) throws -> [Int32]? {
    file.tensors.contains { $0.name == name } ? try Self.values(file, name) : nil
  }

  private static func values<Value: BitwiseCopyable>(_ file: SafetensorsFile, _ name: String) throws -> [Value] {
    try file.withBytes(of: name) { bytes in
      stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
    }
  }

  private static func hessian(of inputs: Matrix<Double>) -> Matrix<Double> {
    var result = Matrix<Double>(rows: inputs.columns, columns: inputs.columns)
    inputs.withView { x in
      result.withMutableView { multiply(x, .transposed, by: x, scale: 2 / Double(inputs.rows), into: $0) }
    }
    return result
  }
}
