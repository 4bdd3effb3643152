import LinearAlgebra

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
    for row in 0..<original.rows {
      if offered.isMultiple(of: step) {
        if tokens == Self.limit { thinOut() }
        if offered.isMultiple(of: step) {
          self.original += UnsafeBufferPointer(start: original.base + row * original.rowStride, count: columns)
          self.quantized += UnsafeBufferPointer(start: quantized.base + row * quantized.rowStride, count: columns)
        }
      }
      offered += 1
    }
  }

  /// Keeps every second token.
  private mutating func thinOut() {
    let kept = (tokens + 1) / 2
    for row in 1..<kept {
      for column in 0..<columns {
        original[row * columns + column] = original[2 * row * columns + column]
        quantized[row * columns + column] = quantized[2 * row * columns + column]
      }
    }
    original.removeLast(original.count - kept * columns)
    quantized.removeLast(quantized.count - kept * columns)
    step *= 2
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
