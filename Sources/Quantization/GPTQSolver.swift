import LinearAlgebra

/// The GPTQ recurrence in the R·Rᵀ form (NUMERICS section 2).
///
/// With H = R·Rᵀ, R upper triangular, columns in processing order k = 0, 1, …, and e_j = w_j − q_j:
///
///     q_k = Quant(w_k + Σ_{j<k} e_j·R[j,k] / R[k,k])
///
/// A group's grid comes from the weights as the classic algorithm has them when the group starts,
/// W_b + Y_b·R[b,b]⁻¹ with Y_b = E[:, :a]·R[:a, b], a the group's first column.
struct GPTQSolver<Scalar: BLASScalar> {
  /// R in the upper triangle [n, n], in processing order.
  let factor: Matrix<Scalar>
  let order: ColumnOrder
  let options: QuantizationOptions
  /// R[b,b]⁻¹ of each group but the first, for which none is needed. Products with them are many times faster than solving.
  private let inverses: [Matrix<Scalar>]

  /// - Parameter factor: R in the upper triangle [n, n], in processing order.
  init(factor: Matrix<Scalar>, order: ColumnOrder, options: QuantizationOptions) {
    precondition(order.columns.count == factor.columns)
    self.factor = factor
    self.order = order
    self.options = options
    inverses = order.groups.dropFirst().map { group in
      var inverse = Matrix<Scalar>(identity: group.positions.count)
      inverse.withMutableView { inverse in
        factor.withView { solveRight(inverse, byUpper: $0[rows: group.positions, columns: group.positions]) }
      }
      return inverse
    }
  }

  /// - Parameters:
  ///   - weight: [m, n] in processing order, finite.
  ///   - searchesScales: Whether grids are searched; they span the weights otherwise.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`.
  func solve(_ weight: Matrix<Scalar>, searchesScales: Bool, layer name: String) throws(QuantizationError) -> SolvedLayer<Scalar> {
    precondition(factor.columns == weight.columns)
    var state = SolverState(weight: weight, solved: SolvedLayer(emptyFor: weight, order: order, searchesScales: searchesScales))
    for outer in outerBlocks {
      state.gather(errorsBefore: outer.columns, factor: factor)
      for (number, group) in zip(outer.groups.indices, outer.groups) {
        let positions = group.positions
        state.accumulate(errorsOf: outer.columns.lowerBound..<positions.lowerBound, onto: positions, factor: factor)
        let grids = try grids(forGroup: number, state: state, searchesScales: searchesScales, layer: name)
        state.solved.setGrids(grids, group: group.index)
        for start in stride(from: positions.lowerBound, to: positions.upperBound, by: RecurrenceBlock<Scalar>.width) {
          let block = start..<min(positions.upperBound, start + RecurrenceBlock<Scalar>.width)
          state.accumulate(errorsOf: positions.lowerBound..<start, onto: block, factor: factor)
          RecurrenceBlock(columns: block, factor: factor, maximumCode: options.maximumCode)
            .solve(weight: weight, shift: state.shift, shiftStart: outer.columns.lowerBound, grids: grids, into: &state.solved)
        }
      }
    }
    guard state.solved.rowLosses.allSatisfy(\.isFinite) else { throw .nonFiniteResult(layer: name) }
    return state.solved
  }

  /// Columns of the products that bring in the errors of all columns before.
  private static var outerWidth: Int { 512 }

  /// Runs of whole groups, at least `outerWidth` columns each where groups are smaller.
  private var outerBlocks: [(columns: Range<Int>, groups: ArraySlice<ColumnOrder.Group>)] {
    var blocks: [(Range<Int>, ArraySlice<ColumnOrder.Group>)] = []
    var first = 0
    for (index, group) in order.groups.enumerated() {
      let start = order.groups[first].positions.lowerBound
      if group.positions.upperBound - start >= Self.outerWidth || index == order.groups.count - 1 {
        blocks.append((start..<group.positions.upperBound, order.groups[first...index]))
        first = index + 1
      }
    }
    return blocks
  }

  private func grids(
    forGroup number: Int, state: SolverState<Scalar>, searchesScales: Bool, layer: String
  ) throws(QuantizationError) -> [Grid] {
    let positions = order.groups[number].positions
    let weights = state.weightsAtGroupStart(positions, inverse: number == 0 ? nil : inverses[number - 1])
    let importance = searchesScales ? positions.map { factor[$0, $0] * factor[$0, $0] } : nil
    guard let grids = GroupGrids(options: options, importance: importance).find(in: weights) else {
      throw .scaleOverflow(layer: layer, largest: Double(weights.elements.reduce(0) { max($0, abs($1)) }))
    }
    return grids
  }
}

/// What changes while the columns are handled.
private struct SolverState<Scalar: BLASScalar> {
  let weight: Matrix<Scalar>
  var solved: SolvedLayer<Scalar>
  /// E·R of the outer block's columns, over the columns handled before each [m, width of the outer block].
  private(set) var shift: Matrix<Scalar>
  private var shiftStart = 0

  init(weight: Matrix<Scalar>, solved: SolvedLayer<Scalar>) {
    self.weight = weight
    self.solved = solved
    shift = Matrix(rows: weight.rows, columns: 0)
  }

  /// Starts an outer block: shift ← E[:, :a]·R[:a, block].
  mutating func gather(errorsBefore block: Range<Int>, factor: Matrix<Scalar>) {
    shift = Matrix(rows: weight.rows, columns: block.count)
    shiftStart = block.lowerBound
    accumulate(errorsOf: 0..<block.lowerBound, onto: block, factor: factor)
  }

  /// shift[:, block] ← shift[:, block] + E[:, source]·R[source, block].
  mutating func accumulate(errorsOf source: Range<Int>, onto block: Range<Int>, factor: Matrix<Scalar>) {
    guard !source.isEmpty else { return }
    let rows = 0..<weight.rows
    let target = block.lowerBound - shiftStart..<block.upperBound - shiftStart
    shift.withMutableView { shift in
      solved.error.withView { error in
        factor.withView { factor in
          multiply(
            error[rows: rows, columns: source], by: factor[rows: source, columns: block], into: shift[rows: rows, columns: target],
            keeping: 1)
        }
      }
    }
  }

  /// W_b + Y_b·R[b,b]⁻¹ [m, width of the group].
  ///
  /// - Parameter inverse: R[b,b]⁻¹; nil for the first group, which has no Y.
  func weightsAtGroupStart(_ group: Range<Int>, inverse: Matrix<Scalar>?) -> Matrix<Scalar> {
    let rows = 0..<weight.rows
    var result = weight.withView { Matrix<Scalar>($0[rows: rows, columns: group]) }
    guard let inverse else { return result }
    let columns = group.lowerBound - shiftStart..<group.upperBound - shiftStart
    result.withMutableView { result in
      shift.withView { shift in
        inverse.withView { multiply(shift[rows: rows, columns: columns], by: $0, into: result, keeping: 1) }
      }
    }
    return result
  }
}
