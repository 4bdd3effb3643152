import LinearAlgebra

/// Finds the grid of every row of one group, 16 rows in the lanes of vectors at a time.
struct GroupGrids<Scalar: BLASScalar> {
  private typealias Lanes = SIMD16<Scalar>
  private static var lanes: Int { 16 }

  let options: QuantizationOptions
  /// ω_j of the group's columns, by which a search weights squared errors; nil: the grids span the weights.
  let importance: [Scalar]?
  /// Parts of the span that a search tries besides the whole.
  private static var shrinkSteps: ClosedRange<Int> { 1...30 }
  private static var shrinkStep: Scalar { 0.02 }

  /// - Parameter weights: [m, columns of the group].
  /// - Returns: One grid a row; nil where a scale is beyond float16.
  func find(in weights: Matrix<Scalar>) -> [Grid]? {
    let rows = weights.rows
    var grids = [Grid?](repeating: nil, count: rows)
    grids.withUnsafeMutableBufferPointer { grids in
      weights.withView { weights in
        let grids = grids.baseAddress.unsafelyUnwrapped
        withUnsafeTemporaryAllocation(of: Lanes.self, capacity: weights.columns) { lanes in
          for first in stride(from: 0, to: rows, by: Self.lanes) {
            find(rows: first..<min(rows, first + Self.lanes), of: weights, lanes: lanes, into: grids)
          }
        }
      }
    }
    let found = grids.compactMap { $0 }
    return found.count == rows ? found : nil
  }

  private func find(
    rows: Range<Int>, of weights: MatrixView<Scalar>, lanes: UnsafeMutableBufferPointer<Lanes>, into grids: UnsafeMutablePointer<Grid?>
  ) {
    var (low, high) = (Lanes.zero, Lanes.zero)
    for column in 0..<weights.columns {
      var values = Lanes.zero
      for (lane, row) in rows.enumerated() { values[lane] = weights[row, column] }
      lanes[column] = values
      low.replace(with: values, where: values .< low)
      high.replace(with: values, where: values .> high)
    }
    for (lane, row) in rows.enumerated() { grids[row] = Grid(spanning: low[lane], high[lane], options: options) }
    guard let importance else { return }
    var span = LaneGrids(steps: Lanes(repeating: 1), zeros: .zero)
    for (lane, row) in rows.enumerated() {
      guard let grid = grids[row] else { return }
      (span.steps[lane], span.zeros[lane]) = (Scalar(float16: grid.scale), Scalar(grid.zero))
    }
    let found = search(from: span, low: low, in: lanes, importance: importance)
    for (lane, row) in rows.enumerated() { grids[row] = Grid(scale: found.steps[lane].float16, zero: UInt8(found.zeros[lane])) }
  }

  /// One grid a lane.
  private struct LaneGrids {
    /// Scales, each a value that float16 has.
    var steps: Lanes
    var zeros: Lanes
  }

  /// The best of the spanning grids and those that span a part of the range.
  private func search(from span: LaneGrids, low: Lanes, in lanes: UnsafeMutableBufferPointer<Lanes>, importance: [Scalar]) -> LaneGrids {
    let (smallest, largest) = (
      Lanes(repeating: Scalar(float16: .leastNonzeroMagnitude)), Lanes(repeating: Scalar(float16: .greatestFiniteMagnitude))
    )
    var best = span
    var least = error(of: lanes, span, importance: importance)
    for step in Self.shrinkSteps {
      let part = 1 - Scalar(step) * Self.shrinkStep
      var candidate = LaneGrids(steps: Scalar.limited(Scalar.roundedToFloat16(span.steps * part), smallest, largest), zeros: span.zeros)
      if !options.isSymmetric {
        let lowest = Lanes(repeating: options.format == .v1 ? 1 : 0)
        let highest = Lanes(repeating: Scalar(options.maximumCode))
        candidate.zeros = Scalar.rounded(Scalar.limited(-low * part / candidate.steps, lowest, highest))
      }
      let error = error(of: lanes, candidate, importance: importance)
      let isBetter = error .< least
      least.replace(with: error, where: isBetter)
      best.steps.replace(with: candidate.steps, where: isBetter)
      best.zeros.replace(with: candidate.zeros, where: isBetter)
    }
    return best
  }

  /// Σ_j ω_j·(w_j − q_j)² of every lane.
  @inline(__always)
  private func error(of values: UnsafeMutableBufferPointer<Lanes>, _ grids: LaneGrids, importance: [Scalar]) -> Lanes {
    let inverse = 1 / grids.steps
    let (lowest, highest) = (-grids.zeros, Lanes(repeating: Scalar(options.maximumCode)) - grids.zeros)
    var sum = Lanes.zero
    importance.withUnsafeBufferPointer { importance in
      for column in 0..<values.count {
        let value = values[column]
        let code = Scalar.rounded(Scalar.limited(value * inverse, lowest, highest))
        let difference = value - code * grids.steps
        sum.addProduct(difference * difference, Lanes(repeating: importance[column]))
      }
    }
    return sum
  }
}

extension Grid {
  init(scale: Float16, zero: UInt8) {
    self.scale = scale
    self.zero = zero
  }
}
