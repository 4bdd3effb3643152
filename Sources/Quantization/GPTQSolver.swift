import LinearAlgebra

/// The GPTQ recurrence in the R·Rᵀ form (NUMERICS section 2).
///
/// With H = R·Rᵀ, R upper triangular, columns in processing order k = 0, 1, …, and e_j = w_j − q_j:
///
///     q_k = Quant(w_k + Σ_{j<k} e_j·R[j,k] / R[k,k])
///
/// A group's grid comes from the weights as the classic algorithm has them when the group starts,
/// W_b + Y_b·R[b,b]⁻¹ with Y_b = E[:, :a]·R[:a, b], a the group's first column.
package struct GPTQSolver<Scalar: BLASScalar> {
  /// R in processing order [n, n].
  private let factor: Matrix<Scalar>
  private let order: ColumnOrder
  private let options: QuantizationOptions

  package init(factor: Matrix<Scalar>, order: ColumnOrder, options: QuantizationOptions) {
    self.factor = factor
    self.order = order
    self.options = options
  }

  package struct Solution {
    package var layer: QuantizedLayer
    /// tr(E·Hd·Eᵀ) with Hd the damped Hessian that was factored.
    package var dampedLoss: Double
    /// W − Q [m, n] in processing order.
    package var error: Matrix<Scalar>
  }

  /// - Parameter weight: [m, n] in processing order, finite.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`.
  package func solve(_ weight: Matrix<Scalar>, layer name: String) throws(QuantizationError) -> Solution {
    let (rows, columns) = (weight.rows, weight.columns)
    precondition(factor.columns == columns && order.columns.count == columns)
    var state = SolverState(weight: weight, layer: QuantizedLayer(emptyFor: weight, order: order, options: options))
    for outer in outerBlocks {
      state.gather(errorsBefore: outer.columns, factor: factor)
      for group in outer.groups {
        let positions = group.positions
        state.accumulate(errorsOf: outer.columns.lowerBound..<positions.lowerBound, onto: positions, factor: factor)
        let grids = try grids(for: group, state: state, layer: name)
        for row in 0..<rows {
          state.layer.scales[group.index * rows + row] = grids[row].scale
          state.layer.zeros[group.index * rows + row] = grids[row].zero
        }
        for start in stride(from: positions.lowerBound, to: positions.upperBound, by: RecurrenceBlock<Scalar>.width) {
          let block = start..<min(positions.upperBound, start + RecurrenceBlock<Scalar>.width)
          state.accumulate(errorsOf: positions.lowerBound..<start, onto: block, factor: factor)
          state.loss += RecurrenceBlock(columns: block, factor: factor, maximumCode: options.maximumCode)
            .solve(weight: weight, shift: state.shift, shiftStart: outer.columns.lowerBound, grids: grids, into: &state)
        }
      }
    }
    guard state.loss.isFinite else { throw .nonFiniteResult(layer: name) }
    return Solution(layer: state.finished(order), dampedLoss: state.loss, error: state.error)
  }

  /// Runs of whole groups, at least `RecurrenceBlock.width` columns each where groups are smaller: one product each.
  private var outerBlocks: [(columns: Range<Int>, groups: ArraySlice<ColumnOrder.Group>)] {
    var blocks: [(Range<Int>, ArraySlice<ColumnOrder.Group>)] = []
    var first = 0
    for (index, group) in order.groups.enumerated() {
      let start = order.groups[first].positions.lowerBound
      if group.positions.upperBound - start >= RecurrenceBlock<Scalar>.width || index == order.groups.count - 1 {
        blocks.append((start..<group.positions.upperBound, order.groups[first...index]))
        first = index + 1
      }
    }
    return blocks
  }

  private func grids(for group: ColumnOrder.Group, state: SolverState<Scalar>, layer: String) throws(QuantizationError) -> [Grid] {
    let weights = state.weightsAtGroupStart(group.positions, factor: factor)
    var grids: [Grid] = []
    grids.reserveCapacity(weights.rows)
    for row in 0..<weights.rows {
      let values = weights.elements[row * weights.columns..<(row + 1) * weights.columns]
      guard let grid = Grid(spanning: values, options: options) else {
        throw .scaleOverflow(layer: layer, largest: values.map { Double(abs($0)) }.max() ?? 0)
      }
      grids.append(grid)
    }
    return grids
  }
}

/// What changes while the columns are handled.
struct SolverState<Scalar: BLASScalar> {
  let weight: Matrix<Scalar>
  /// Codes in processing order until `finished`.
  var layer: QuantizedLayer
  /// E = W − Q of the columns handled so far [m, n].
  var error: Matrix<Scalar>
  /// E·R of the outer block's columns, over the columns handled before each [m, width of the outer block].
  private(set) var shift: Matrix<Scalar>
  private var shiftStart = 0
  var loss = 0.0

  init(weight: Matrix<Scalar>, layer: QuantizedLayer) {
    self.weight = weight
    self.layer = layer
    error = Matrix(rows: weight.rows, columns: weight.columns)
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
      error.withView { error in
        factor.withView { factor in
          multiply(
            error[rows: rows, columns: source], by: factor[rows: source, columns: block], into: shift[rows: rows, columns: target],
            keeping: 1)
        }
      }
    }
  }

  /// W_b + Y_b·R[b,b]⁻¹ [m, width of the group].
  func weightsAtGroupStart(_ group: Range<Int>, factor: Matrix<Scalar>) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: weight.rows, columns: group.count)
    let offset = group.lowerBound - shiftStart
    for row in 0..<weight.rows {
      for column in 0..<group.count { result[row, column] = shift[row, offset + column] }
    }
    if group.lowerBound > 0 {
      result.withMutableView { result in
        factor.withView { solveRight(result, byUpper: $0[rows: group, columns: group]) }
      }
    }
    for row in 0..<weight.rows {
      for column in 0..<group.count { result[row, column] += weight[row, group.lowerBound + column] }
    }
    return result
  }

  /// The layer with its codes in the weight's own column order.
  func finished(_ order: ColumnOrder) -> QuantizedLayer {
    var result = layer
    for row in 0..<layer.rows {
      let start = row * layer.columns
      for (position, column) in order.columns.enumerated() { result.codes[start + column] = layer.codes[start + position] }
    }
    return result
  }
}
