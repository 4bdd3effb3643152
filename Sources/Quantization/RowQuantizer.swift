import LinearAlgebra

/// Some rows of a layer after quantization.
struct QuantizedRows: Sendable {
  /// [rows, n] in the weight's own column order.
  let codes: [UInt8]
  /// [groups, rows].
  let scales: [Float16]
  /// [groups, rows].
  let zeros: [UInt8]
  /// tr((W−Q)·H·(W−Q)ᵀ).
  let loss: Double
  /// tr(W·H·Wᵀ).
  let energy: Double
  /// Rows whose searched scales have the smaller loss.
  let searched: Int
  /// Rows that refined scales made better.
  let refined: Int
}

/// Takes rows of a layer through all steps of quantization, on the calling thread.
struct RowQuantizer<Scalar: BLASScalar> {
  let hessian: DampedHessian
  let factor: ReverseCholesky<Scalar>
  let options: QuantizationOptions
  /// For messages.
  let layer: String

  /// Rows that are handled together: enough for efficient products, few enough that small layers keep several cores busy.
  func slices(of rows: Int) -> [Range<Int>] {
    let length = min(256, max(64, (rows / 8 + 15) / 16 * 16))
    return stride(from: 0, to: rows, by: length).map { $0..<min(rows, $0 + length) }
  }

  /// - Parameters:
  ///   - weight: [rows, n], finite.
  ///   - correlation: Of these rows; nil: nothing to compensate.
  func quantize(_ weight: consuming Matrix<Scalar>, correlation: consuming Matrix<Scalar>?) throws(QuantizationError) -> QuantizedRows {
    var target = target(weight, correlation)
    let solver = GPTQSolver(factor: factor.factor, order: hessian.order, options: options)
    var solved = try solver.solve(target, searchesScales: false, layer: layer)
    var searched = 0
    if options.searchesScales {
      let other = try solver.solve(target, searchesScales: true, layer: layer)
      let (before, after) = (losses(solved), losses(other))
      let better = (0..<solved.rows).filter { after[$0] < before[$0] }
      solved.replaceRows(better, by: other)
      searched = better.count
    }
    let refinement = ScaleRefinement(hessian: factor, order: hessian.order, addedDiagonal: hessian.addedDiagonal)
    let refined = options.refinesScales ? refinement.refine(&solved) : 0
    let squares = target.sumOfSquares
    target.withMutableView { target in factor.factor.withView { multiplyRight(target, byUpper: $0) } }
    return QuantizedRows(
      codes: solved.naturalCodes(hessian.order), scales: solved.scales, zeros: solved.zeros, loss: losses(solved).reduce(0, +),
      energy: target.sumOfSquares - hessian.addedDiagonal * squares, searched: searched, refined: refined)
  }

  private func losses(_ solved: SolvedLayer<Scalar>) -> [Double] { solved.undampedRowLosses(addedDiagonal: hessian.addedDiagonal) }

  /// W + α·W·D·Hd⁻¹ in processing order, 0 in dead columns.
  private func target(_ weight: Matrix<Scalar>, _ correlation: Matrix<Scalar>?) -> Matrix<Scalar> {
    var target = weight
    for row in 0..<weight.rows {
      for column in hessian.deadColumns { target[row, column] = 0 }
    }
    target = target.permutingColumns(hessian.order.columns)
    guard let correlation else { return target }
    var shift = correlation.permutingColumns(hessian.order.columns)
    shift.withMutableView { shift in
      factor.factor.withView { factor in
        solveRight(shift, byUpper: factor, .transposed)
        solveRight(shift, byUpper: factor)
      }
      target.withMutableView { $0.add(shift.readOnly) }
    }
    return target
  }
}
