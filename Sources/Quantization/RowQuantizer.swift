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
  /// Rows that were moved by compensation.
  let compensated: Int
}

/// Takes rows of a layer through all steps of quantization, on the calling thread.
struct RowQuantizer<Scalar: BLASScalar> {
  private let hessian: DampedHessian
  private let factor: ReverseCholesky<Scalar>
  let options: QuantizationOptions
  private let solver: GPTQSolver<Scalar>
  private let compensation: (share: Double, heldOut: HeldOutComparison<Scalar>)?
  /// For messages.
  let layer: String

  /// - Parameters:
  ///   - factor: Of the Hessian, in the precision of all steps.
  ///   - compensation: Of the layer; nil: nothing to compensate.
  ///   - layer: For messages.
  init(
    hessian: DampedHessian, factor: ReverseCholesky<Scalar>, compensation: CompensationProposal?, options: QuantizationOptions,
    layer: String
  ) {
    self.hessian = hessian
    self.factor = factor
    self.options = options
    self.layer = layer
    self.compensation = compensation.map { ($0.share, $0.heldOut.permuted(hessian.order.columns, as: Scalar.self)) }
    solver = GPTQSolver(factor: factor.factor, order: hessian.order, options: options)
  }

  /// Rows that are handled together: enough for efficient products, few enough that small layers keep several cores busy.
  func slices(of rows: Int) -> [Range<Int>] {
    let lanes = (rows + 15) / 16
    let count = max((rows + 255) / 256, min(8, lanes / 2), 1)
    return (0..<count).map { lanes * $0 / count * 16..<min(rows, lanes * ($0 + 1) / count * 16) }
  }

  /// - Parameters:
  ///   - weight: [rows, n], finite.
  ///   - correlation: Of the compensation, these rows; nil: nothing to compensate.
  func quantize(_ weight: consuming Matrix<Scalar>, correlation: consuming Matrix<Scalar>?) throws(QuantizationError) -> QuantizedRows {
    let weight = weight.permutingColumns(hessian.order.columns)
    var target = withoutDeadColumns(weight)
    var compensated = 0
    if let compensation, let correlation {
      let shift = shift(of: target, correlation, share: compensation.share)
      if compensation.heldOut.isBetter(weight, movedBy: shift) {
        target.withMutableView { target in shift.withView { target.add($0) } }
        compensated = target.rows
      }
    }
    var solved = try solve(target)
    let refinement = ScaleRefinement(hessian: factor, order: hessian.order, addedDiagonal: hessian.addedDiagonal)
    let refined = options.refinesScales ? refinement.refine(&solved) : 0
    let squares = target.sumOfSquares
    target.withMutableView { target in factor.factor.withView { multiplyRight(target, byUpper: $0) } }
    return QuantizedRows(
      codes: solved.naturalCodes(hessian.order), scales: solved.scales, zeros: solved.zeros, loss: losses(solved).reduce(0, +),
      energy: target.sumOfSquares - hessian.addedDiagonal * squares, searched: solved.isSearched.count { $0 }, refined: refined,
      compensated: compensated)
  }

  /// With searched scales where these have the smaller loss.
  private func solve(_ target: Matrix<Scalar>) throws(QuantizationError) -> SolvedLayer<Scalar> {
    var solved = try solver.solve(target, searchesScales: false, layer: layer)
    guard options.searchesScales else { return solved }
    let other = try solver.solve(target, searchesScales: true, layer: layer)
    let (before, after) = (losses(solved), losses(other))
    solved.replaceRows((0..<solved.rows).filter { after[$0] < before[$0] }, by: other)
    return solved
  }

  private func losses(_ solved: SolvedLayer<Scalar>) -> [Double] { solved.undampedRowLosses(addedDiagonal: hessian.addedDiagonal) }

  private func withoutDeadColumns(_ weight: Matrix<Scalar>) -> Matrix<Scalar> {
    let dead = Set(hessian.deadColumns)
    guard !dead.isEmpty else { return weight }
    var result = weight
    for (position, column) in hessian.order.columns.enumerated() where dead.contains(column) {
      for row in 0..<result.rows { result[row, position] = 0 }
    }
    return result
  }

  /// (C + share·λ·W)·Hd⁻¹ − share·W, in processing order.
  private func shift(of target: Matrix<Scalar>, _ correlation: Matrix<Scalar>, share: Double) -> Matrix<Scalar> {
    var result = correlation.permutingColumns(hessian.order.columns)
    if share > 0 { result.add(target, times: Scalar(share * hessian.addedDiagonal)) }
    result.withMutableView { result in
      factor.factor.withView { factor in
        solveRight(result, byUpper: factor, .transposed)
        solveRight(result, byUpper: factor)
      }
    }
    if share > 0 { result.add(target, times: Scalar(-share)) }
    return result
  }
}
