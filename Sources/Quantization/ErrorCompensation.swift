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
    withScratchMatrix(rows: original.rows, columns: original.columns) { difference in
      forEachSlice(of: original.rows, minimum: 16) { rows in
        for row in rows {
          let target = difference.base + row * difference.rowStride
          let (a, b) = (original.base + row * original.rowStride, quantized.base + row * quantized.rowStride)
          for column in 0..<difference.columns { target[column] = a[column] - b[column] }
        }
      }
      add(products: difference.readOnly, quantized)
    }
  }

  /// - Parameters:
  ///   - outputs: Y [tokens, m], without bias.
  ///   - quantized: X̂ [tokens, n].
  package mutating func add(outputs: MatrixView<Float>, quantized: MatrixView<Float>) { add(products: outputs, quantized) }

  private mutating func add(products other: MatrixView<Float>, _ quantized: MatrixView<Float>) {
    sum.withMutableView { multiplyOnAllCores(other, .transposed, by: quantized, into: $0, keeping: 1) }
    tokens += quantized.rows
  }

  /// For one of the layers; nil where what was summed up isn't finite, or says that there is no error to make up for.
  ///
  /// - Parameter weight: W [m, n].
  package func proposal(for weight: Matrix<Float>, heldOut: HeldOutInputs) -> CompensationProposal? {
    let scale = Float(strength * 2 / Double(max(1, tokens)))
    var correlation: Matrix<Float>
    switch form {
    case .outputs:
      correlation = sum
      for element in correlation.elements.indices { correlation.elements[element] *= scale }
    case .inputs:
      correlation = Matrix(rows: weight.rows, columns: weight.columns)
      correlation.withMutableView { result in
        weight.withView { weight in sum.withView { multiplyOnAllCores(weight, by: $0, scale: scale, into: result) } }
      }
    }
    let squares = correlation.sumOfSquares
    guard squares.isFinite, squares > 0 else { return nil }
    return CompensationProposal(correlation: correlation, share: form == .outputs ? strength : 0, heldOut: heldOut)
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
  /// α·W·D, or α·(2/T)·Yᵀ·X̂ [m, n].
  let correlation: Matrix<Float>
  /// How much of W the correlation stands for: 0, or α.
  let share: Double
  let heldOut: HeldOutInputs
}
