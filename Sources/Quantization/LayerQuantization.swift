import LinearAlgebra

/// A linear layer that was quantized, with what it cost.
public struct LayerQuantization: Sendable {
  public let layer: QuantizedLayer
  /// tr((W−Q)·H·(W−Q)ᵀ); W the weights, moved where an earlier error is compensated. nil for methods that have no Hessian.
  public let loss: Double?
  /// The loss divided by tr(W·H·Wᵀ).
  public let relativeLoss: Double?
  /// Part of the rows whose searched scales have the smaller loss; nil where none were searched.
  public let scaleSearchKept: Double?
  /// Part of the rows that refined scales made better; nil where none were refined.
  public let scaleRefinementKept: Double?
}

extension DampedHessian {
  /// Quantizes one of the linears that read this Hessian's input.
  ///
  /// Each optional step is kept row by row, where the measured loss falls: rows of a layer don't interact.
  ///
  /// - Parameters:
  ///   - weight: [m, n], finite.
  ///   - correlation: α·W·D [m, n] of NUMERICS section 5, which moves the weights by α·W·D·Hd⁻¹ first; nil: nothing to compensate.
  ///   - layer: For messages.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`.
  package func quantize(
    _ weight: Matrix<Float>, compensating correlation: Matrix<Float>? = nil, options: QuantizationOptions, layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    switch factor {
    case .float32(let factor):
      try quantize(weight, correlation, factor: factor, options: options, layer: name)
    case .float64(let factor):
      try quantize(Matrix<Double>(weight), correlation.map { Matrix<Double>($0) }, factor: factor, options: options, layer: name)
    }
  }

  private func quantize<Scalar: BLASScalar>(
    _ weight: Matrix<Scalar>, _ correlation: Matrix<Scalar>?, factor: ReverseCholesky<Scalar>, options: QuantizationOptions,
    layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    var target = target(weight, correlation, factor: factor.factor)
    let solver = GPTQSolver(factor: factor.factor, order: order, options: options)
    var solved = try solver.solve(target, searchesScales: false, layer: name)
    var searchKept: Double?
    if options.searchesScales {
      let searched = try solver.solve(target, searchesScales: true, layer: name)
      let (before, after) = (
        solved.undampedRowLosses(addedDiagonal: addedDiagonal), searched.undampedRowLosses(addedDiagonal: addedDiagonal)
      )
      let better = (0..<solved.rows).filter { after[$0] < before[$0] }
      solved.replaceRows(better, by: searched)
      searchKept = Double(better.count) / Double(max(1, solved.rows))
    }
    var refinementKept: Double?
    if options.refinesScales {
      let better = ScaleRefinement(hessian: factor, order: order, addedDiagonal: addedDiagonal).refine(&solved)
      refinementKept = Double(better) / Double(max(1, solved.rows))
    }
    let loss = solved.undampedRowLosses(addedDiagonal: addedDiagonal).reduce(0, +)
    let squares = target.sumOfSquares
    target.withMutableView { target in factor.factor.withView { multiplyRight(target, byUpper: $0) } }
    let energy = target.sumOfSquares - addedDiagonal * squares
    return LayerQuantization(
      layer: solved.layer(order, bits: options.bits), loss: loss, relativeLoss: energy > 0 ? loss / energy : 0,
      scaleSearchKept: searchKept, scaleRefinementKept: refinementKept)
  }

  /// W + α·W·D·Hd⁻¹ in processing order, 0 in dead columns.
  private func target<Scalar: BLASScalar>(_ weight: Matrix<Scalar>, _ correlation: Matrix<Scalar>?, factor: Matrix<Scalar>)
    -> Matrix<Scalar>
  {
    var target = weight
    for row in 0..<weight.rows {
      for column in deadColumns { target[row, column] = 0 }
    }
    target = target.permutingColumns(order.columns)
    guard let correlation else { return target }
    var shift = correlation.permutingColumns(order.columns)
    shift.withMutableView { shift in
      factor.withView { factor in
        solveRight(shift, byUpper: factor, .transposed)
        solveRight(shift, byUpper: factor)
      }
      target.withMutableView { $0.add(shift.readOnly) }
    }
    return target
  }
}
