import LinearAlgebra
import Transformer

/// Moves the weights of a stage's layers to make up for the error that the layers before left in their inputs (NUMERICS section 5).
///
/// With X the inputs that the original layer saw, X̂ those that come from quantized layers and D = (2/T)·(X − X̂)ᵀ·X̂, the target
/// of quantization becomes W + α·W·D·Hd⁻¹. Where the original's outputs Y = X·Wᵀ are at hand and narrower than its inputs, their
/// products take less work, and since Hd = (2/T)·X̂ᵀ·X̂ + λ·I, the same target is (1−α)·W + α·((2/T)·Yᵀ·X̂ + λ·W)·Hd⁻¹.
package struct ErrorCompensation {
  /// What is multiplied by X̂.
  package enum Form {
    /// X − X̂ [tokens, n].
    case inputs
    /// Y [tokens, m].
    case outputs
  }

  let form: Form
  /// α.
  private let strength: Double
  /// (X − X̂)ᵀ·X̂ [n, n], or Yᵀ·X̂ [m, n].
  private var sum: Matrix<Float>
  private var tokens = 0

  /// - Parameters:
  ///   - outputs: m, where those are summed.
  ///   - inputs: n.
  package init(strength: Double, form: Form, outputs: Int, inputs: Int) {
    self.strength = strength
    self.form = form
    sum = Matrix(rows: form == .outputs ? outputs : inputs, columns: inputs)
  }

  /// - Parameters:
  ///   - original: X [tokens, n].
  ///   - quantized: X̂ [tokens, n].
  package mutating func add(original: MatrixView<Float>, quantized: MatrixView<Float>) {
    add([StageInputs(rows: 0..<quantized.rows, quantized: quantized, original: original)])
  }

  /// - Parameters:
  ///   - outputs: Y [tokens, m], without bias.
  ///   - quantized: X̂ [tokens, n].
  package mutating func add(outputs: MatrixView<Float>, quantized: MatrixView<Float>) {
    add([StageInputs(rows: 0..<quantized.rows, quantized: quantized, outputs: outputs)])
  }

  private mutating func add(_ inputs: [StageInputs]) {
    Self.withFactors(form, inputs) { factors in sum.withCrossTiles { $0.add(factors) } }
    tokens += inputs.reduce(0) { $0 + $1.rows.count }
  }

  /// Adds what the ranks have in a step.
  ///
  /// - Parameters:
  ///   - inputs: This rank's.
  ///   - tokens: Of each rank.
  /// - Throws: `RankError`.
  mutating func add(_ inputs: [StageInputs], tokens: [Int], sums: SharedSums) throws {
    try Self.withFactors(form, inputs) { factors in
      try sum.withCrossTiles { try sums.add(factors, to: $0, contributing: tokens.map { $0 > 0 }) }
    }
    self.tokens += tokens.reduce(0, +)
  }

  /// Gets the sum to which all ranks added.
  ///
  /// - Throws: `RankError`.
  mutating func complete(_ sums: SharedSums) throws { try sum.withCrossTiles { try sums.complete($0) } }

  private static func withFactors(_ form: Form, _ inputs: [StageInputs], _ body: ([CrossTiles.Factors]) throws -> Void) rethrows {
    switch form {
    case .outputs: try body(inputs.compactMap { input in input.outputs.map { (left: $0, right: input.quantized) } })
    case .inputs: try withDifferences(inputs[...], [], body)
    }
  }

  /// Lends X − X̂ of one input after the other.
  private static func withDifferences(
    _ inputs: ArraySlice<StageInputs>, _ factors: [CrossTiles.Factors], _ body: ([CrossTiles.Factors]) throws -> Void
  ) rethrows {
    guard let input = inputs.first else { return try body(factors) }
    guard let original = input.original else { return try withDifferences(inputs.dropFirst(), factors, body) }
    let quantized = input.quantized
    try withScratchMatrix(rows: original.rows, columns: original.columns) { difference in
      forEachSlice(of: original.rows, minimum: 16) { rows in
        for row in rows {
          let target = difference.base + row * difference.rowStride
          let (a, b) = (original.base + row * original.rowStride, quantized.base + row * quantized.rowStride)
          for column in 0..<difference.columns { target[column] = a[column] - b[column] }
        }
      }
      try withDifferences(inputs.dropFirst(), factors + [(difference.readOnly, quantized)], body)
    }
  }

  /// For the layers of the stage; nil where what was summed up isn't finite, or says that there is no error to make up for.
  package func proposal(heldOut: HeldOutInputs) -> CompensationProposal? {
    guard sum.elements.contains(where: { $0 != 0 }), sum.elements.allSatisfy(\.isFinite) else { return nil }
    return CompensationProposal(
      sum: sum, form: form, scale: Float(strength * 2 / Double(max(1, tokens))), share: form == .outputs ? strength : 0, heldOut: heldOut)
  }
}

extension ErrorCompensation.Form {
  /// Whichever takes less work.
  ///
  /// Outputs are at hand where the dense MLP's are computed anyway; a bias would be in them.
  init(_ layer: LinearLayer) {
    let hasOutputs = layer.role == .down && layer.place.expert == nil && !layer.hasBias
    self = hasOutputs && layer.outputs < layer.inputs ? .outputs : .inputs
  }
}

/// How a layer's weights would move, and what shows whether they are better for it.
package struct CompensationProposal: Sendable {
  fileprivate let sum: Matrix<Float>
  fileprivate let form: ErrorCompensation.Form
  /// α·2/T.
  fileprivate let scale: Float
  /// How much of W the correlation stands for: 0, or α.
  let share: Double
  let heldOut: HeldOutInputs

  /// Rows of α·W·D, or of α·(2/T)·Yᵀ·X̂, on the calling thread; nil where they aren't finite, or all 0.
  ///
  /// - Parameter weight: These rows of W.
  func correlation(ofRows rows: Range<Int>, _ weight: MatrixView<Float>) -> Matrix<Float>? {
    let result = Matrix<Float>(rows: rows.count, columns: weight.columns) { result in
      sum.withView { sum in
        switch form {
        case .inputs: multiply(weight, by: sum, scale: scale, into: result)
        case .outputs:
          result.update(from: sum[rows: rows])
          for index in 0..<result.rows * result.columns { result.base[index] *= scale }
        }
      }
    }
    let squares = result.sumOfSquares
    return squares.isFinite && squares > 0 ? result : nil
  }
}
