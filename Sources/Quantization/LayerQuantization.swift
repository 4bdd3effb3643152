import LinearAlgebra

/// A linear layer that was quantized, with what it cost.
public struct LayerQuantization: Sendable {
  public let layer: QuantizedLayer
  /// tr((W−Q)·H·(W−Q)ᵀ); nil for methods that have no Hessian.
  public let loss: Double?
  /// The loss divided by tr(W·H·Wᵀ).
  public let relativeLoss: Double?
}

extension DampedHessian {
  /// Quantizes one of the linears that read this Hessian's input.
  ///
  /// - Parameters:
  ///   - weight: [m, n], finite.
  ///   - name: For messages.
  package func quantize(_ weight: Matrix<Float>, options: QuantizationOptions, layer name: String) throws(QuantizationError)
    -> LayerQuantization
  {
    switch factor {
    case .float32(let factor):
      try quantize(weight, factor: factor.factor, options: options, layer: name)
    case .float64(let factor):
      try quantize(Matrix<Double>(weight), factor: factor.factor, options: options, layer: name)
    }
  }

  private func quantize<Scalar: BLASScalar>(
    _ weight: Matrix<Scalar>, factor: Matrix<Scalar>, options: QuantizationOptions, layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    var weight = weight
    for row in 0..<weight.rows {
      for column in deadColumns { weight[row, column] = 0 }
    }
    weight = weight.permutingColumns(order.columns)
    let solution = try GPTQSolver(factor: factor, order: order, options: options).solve(weight, layer: name)
    let loss = max(0, solution.dampedLoss - addedDiagonal * solution.error.sumOfSquares)
    let squares = weight.sumOfSquares
    weight.withMutableView { weight in factor.withView { multiplyRight(weight, byUpper: $0) } }
    let energy = weight.sumOfSquares - addedDiagonal * squares
    return LayerQuantization(layer: solution.layer, loss: loss, relativeLoss: energy > 0 ? loss / energy : 0)
  }
}

extension Matrix {
  var sumOfSquares: Double {
    var total = 0.0
    for row in 0..<rows {
      var sum: Scalar = 0
      for value in elements[row * columns..<(row + 1) * columns] { sum += value * value }
      total += Double(sum)
    }
    return total
  }
}
