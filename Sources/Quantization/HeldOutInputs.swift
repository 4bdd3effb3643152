import LinearAlgebra
import Ranks

/// Inputs of a stage for tokens that enter no sum, as the original and the quantized blocks before it give them.
package struct HeldOutInputs: Sendable {
  /// Most tokens that are kept; all that are held out would take longer than quantizing a small layer.
  package static let limit = 512

  private let columns: Int
  package private(set) var original: [Float] = []
  private var quantized: [Float] = []
  /// Of how many tokens one is kept.
  private var step = 1
  private var offered = 0

  package init(columns: Int) { self.columns = columns }

  /// Most operations that a decision takes.
  static func work(outputs: Int, inputs: Int) -> Double { 4 * Double(limit) * Double(outputs) * Double(inputs) }

  package var tokens: Int { original.count / columns }

  /// - Parameters:
  ///   - original: X [tokens, n].
  ///   - quantized: X̂ [tokens, n].
  package mutating func add(original: MatrixView<Float>, quantized: MatrixView<Float>) {
    let kept = admit(original.rows)
    self.original += Self.values(kept, of: [original])
    self.quantized += Self.values(kept, of: [quantized])
  }

  /// Adds what the ranks have in a step.
  ///
  /// - Parameters:
  ///   - inputs: This rank's.
  ///   - tokens: Of each rank.
  /// - Throws: `RankError`.
  mutating func add(_ inputs: [StageInputs], tokens: [Int], ranks: any RankGroup) throws {
    let first = tokens[..<ranks.rank].reduce(0, +)
    let kept = admit(tokens.reduce(0, +)).map { $0 - first }.filter { (0..<tokens[ranks.rank]).contains($0) }
    let values = Self.values(kept, of: inputs.compactMap(\.original)) + Self.values(kept, of: inputs.map(\.quantized))
    for bytes in try ranks.allGather(values.withUnsafeBytes { [UInt8]($0) }) {
      let values = bytes.withUnsafeBytes { [Float]($0.bindMemory(to: Float.self)) }
      original += values.prefix(values.count / 2)
      quantized += values.suffix(values.count / 2)
    }
  }

  /// Thins out what is there, evenly, as far as so many more tokens make it necessary.
  ///
  /// - Returns: Which of these are kept.
  private mutating func admit(_ count: Int) -> [Int] {
    let first = offered
    offered += count
    var factor = 1
    while (offered + factor * step - 1) / (factor * step) > Self.limit { factor *= 2 }
    if factor > 1 { thinOut(keepingOneOf: factor) }
    return Array(stride(from: (first + step - 1) / step * step - first, to: count, by: step))
  }

  private mutating func thinOut(keepingOneOf factor: Int) {
    let kept = Array(stride(from: 0, to: tokens, by: factor))
    func thinned(_ values: [Float]) -> [Float] { kept.flatMap { values[$0 * columns..<($0 + 1) * columns] } }
    (original, quantized) = (thinned(original), thinned(quantized))
    step *= factor
  }

  /// - Parameters:
  ///   - rows: Counted through all of the matrices.
  ///   - matrices: One below the other.
  private static func values(_ rows: [Int], of matrices: [MatrixView<Float>]) -> [Float] {
    var (values, first, rows) = ([Float](), 0, rows[...])
    for matrix in matrices {
      while let row = rows.first, row < first + matrix.rows {
        values += UnsafeBufferPointer(start: matrix.base + (row - first) * matrix.rowStride, count: matrix.columns)
        rows.removeFirst()
      }
      first += matrix.rows
    }
    return values
  }

  /// With columns in another order.
  func permuted<Scalar: BLASScalar>(_ order: [Int], as type: Scalar.Type) -> HeldOutComparison<Scalar> {
    func matrix(_ values: [Float]) -> Matrix<Scalar> {
      Matrix(rows: tokens, columns: columns, elements: values).permutingColumns(order).withView { Matrix<Scalar>($0) }
    }
    let quantized = matrix(quantized)
    return HeldOutComparison(difference: matrix(original).subtracting(quantized), quantized: quantized)
  }
}

/// Shows whether rows of a layer come closer to what the original layer makes of its own inputs when they are moved.
struct HeldOutComparison<Scalar: BLASScalar>: Sendable {
  /// X − X̂ [tokens, n].
  let difference: Matrix<Scalar>
  /// X̂ [tokens, n].
  let quantized: Matrix<Scalar>

  /// Whether ‖X·Wᵀ − X̂·(W+S)ᵀ‖ < ‖X·Wᵀ − X̂·Wᵀ‖.
  ///
  /// Weights are compared before quantization, whose error is as large for both, but would hide by chance which is better.
  ///
  /// - Parameters:
  ///   - weight: W [m, n]; enough rows that what held-out tokens say of them isn't chance.
  ///   - shift: S, by how much the rows would move [m, n].
  func isBetter(_ weight: Matrix<Scalar>, movedBy shift: Matrix<Scalar>) -> Bool {
    let before = weight.multiplied(byTransposed: difference)
    let after = before.subtracting(shift.multiplied(byTransposed: quantized))
    return after.sumOfSquares < before.sumOfSquares
  }
}

extension Matrix {
  /// A·Bᵀ, on the calling thread.
  fileprivate func multiplied(byTransposed other: Matrix) -> Matrix {
    Matrix(rows: rows, columns: other.rows) { product in
      withView { a in other.withView { multiply(a, by: $0, .transposed, into: product) } }
    }
  }
}
