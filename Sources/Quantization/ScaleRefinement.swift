import LinearAlgebra

/// Adjusts the scales of a layer whose codes are fixed (NUMERICS section 3).
///
/// With c the centred codes, E the error and Δ_g the change of group g's scale, a row's loss is
///
///     L − 2·Σ_g Δ_g·r_g + Σ_g Σ_h Δ_g·Δ_h·A_gh,  r_g = c_g·(E·H)_g,  A_gh = c_g·H_gh·c_hᵀ
///
/// so r and A are computed once, by products, and each row is then minimised coordinate by coordinate over the values that
/// float16 has, which never raises the loss.
struct ScaleRefinement<Scalar: BLASScalar> {
  let hessian: ReverseCholesky<Scalar>
  let order: ColumnOrder
  /// λ of Hd = H + λ·I.
  let addedDiagonal: Double
  private static var sweeps: Int { 4 }
  /// Values of A that are held at once.
  private static var coefficientLimit: Int { 1 << 24 }

  /// - Returns: Rows that are better for it, by the undamped loss; the others stay as they were.
  func refine(_ solved: inout SolvedLayer<Scalar>) -> Int {
    let groups = order.groups.count
    let rowsAtOnce = max(16, Self.coefficientLimit / (groups * groups))
    var improved = 0
    for start in stride(from: 0, to: solved.rows, by: rowsAtOnce) {
      let rows = start..<min(solved.rows, start + rowsAtOnce)
      let codes = centredCodes(rows, of: solved)
      let quadratic = quadratics(codes: codes, rows: rows, of: solved)
      improved += apply(quadratic, codes: codes, rows: rows, to: &solved)
    }
    return improved
  }

  /// code − zero [rows, n] in processing order.
  private func centredCodes(_ rows: Range<Int>, of solved: SolvedLayer<Scalar>) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: rows.count, columns: solved.columns)
    result.withMutableView { result in
      solved.codes.withUnsafeBufferPointer { codes in
        let codes = codes.baseAddress.unsafelyUnwrapped
        for row in 0..<rows.count {
          let target = result.base + row * result.rowStride
          let source = codes + (rows.lowerBound + row) * solved.columns
          for group in order.groups {
            let zero = Int32(solved.zeros[group.index * solved.rows + rows.lowerBound + row])
            for position in group.positions { target[position] = Scalar(Int32(source[position]) - zero) }
          }
        }
      }
    }
    return result
  }

  /// r [rows, groups] and A [rows, groups · groups] of each row, the upper triangle of A filled; groups in processing order.
  private struct Quadratics {
    var linear: Matrix<Scalar>
    var coefficients: Matrix<Scalar>
  }

  private func quadratics(codes: Matrix<Scalar>, rows: Range<Int>, of solved: SolvedLayer<Scalar>) -> Quadratics {
    let (columns, groups) = (solved.columns, order.groups.count)
    let gradient = gradient(rows, of: solved)
    var result = Quadratics(
      linear: Matrix(rows: rows.count, columns: groups), coefficients: Matrix(rows: rows.count, columns: groups * groups))
    var panel = Matrix<Scalar>(rows: rows.count, columns: columns)
    for (index, group) in order.groups.enumerated() {
      multiply(codes, group.positions, into: &panel)
      codes.withView { codes in
        gradient.withView { gradient in
          panel.withView { panel in
            result.linear.withMutableView { linear in
              result.coefficients.withMutableView { coefficients in
                for row in 0..<rows.count {
                  let code = codes.base + row * columns
                  linear[row, index] = dot(code, gradient.base + row * columns, group.positions)
                  for (other, otherGroup) in order.groups.enumerated().dropFirst(index) {
                    coefficients[row, index * groups + other] = dot(code, panel.base + row * columns, otherGroup.positions)
                  }
                }
              }
            }
          }
        }
      }
    }
    return result
  }

  /// E·Hd = (E·R)·Rᵀ [rows, n].
  private func gradient(_ rows: Range<Int>, of solved: SolvedLayer<Scalar>) -> Matrix<Scalar> {
    var result = solved.factoredError.withView { Matrix<Scalar>($0[rows: rows]) }
    result.withMutableView { result in hessian.factor.withView { multiplyRight(result, byUpper: $0, .transposed) } }
    return result
  }

  /// panel[:, a...] ← C[:, a..<b]·Hd[a..<b, a...] for a group at a..<b.
  private func multiply(_ codes: Matrix<Scalar>, _ group: Range<Int>, into panel: inout Matrix<Scalar>) {
    let (rows, columns) = (codes.rows, codes.columns)
    var corner = Matrix<Scalar>(rows: group.count, columns: group.count)
    for row in 0..<group.count {
      for column in 0..<row {
        let value = hessian.factor[group.lowerBound + row, group.lowerBound + column]
        corner[row, column] = value
        corner[column, row] = value
      }
      corner[row, row] = hessian.diagonal[group.lowerBound + row]
    }
    panel.withMutableView { panel in
      codes.withView { codes in
        let codes = codes[rows: 0..<rows, columns: group]
        corner.withView { LinearAlgebra.multiply(codes, by: $0, into: panel[rows: 0..<rows, columns: group]) }
        let rest = group.upperBound..<columns
        guard !rest.isEmpty else { return }
        hessian.factor.withView { factor in
          LinearAlgebra.multiply(
            codes, by: factor[rows: rest, columns: group], .transposed, into: panel[rows: 0..<rows, columns: rest])
        }
      }
    }
  }

  @inline(__always)
  private func dot(_ a: UnsafePointer<Scalar>, _ b: UnsafePointer<Scalar>, _ range: Range<Int>) -> Scalar {
    var sums = SIMD16<Scalar>.zero
    var column = range.lowerBound
    while column + 16 <= range.upperBound {
      sums.addProduct(
        UnsafeRawPointer(a + column).loadUnaligned(as: SIMD16<Scalar>.self),
        UnsafeRawPointer(b + column).loadUnaligned(as: SIMD16<Scalar>.self))
      column += 16
    }
    var sum: Scalar = 0
    for lane in 0..<16 { sum += sums[lane] }
    for column in column..<range.upperBound { sum += a[column] * b[column] }
    return sum
  }

  private func apply(_ quadratics: Quadratics, codes: Matrix<Scalar>, rows: Range<Int>, to solved: inout SolvedLayer<Scalar>) -> Int {
    var changes = [RowChange?](repeating: nil, count: rows.count)
    let (current, scales) = (solved.error, solved.scales)
    let total = solved.rows
    changes.withUnsafeMutableBufferPointer { changes in
      let changes = changes.baseAddress.unsafelyUnwrapped
      for row in 0..<rows.count {
        let start = order.groups.map { scales[$0.index * total + rows.lowerBound + row] }
        changes[row] = minimum(quadratics, row: row, from: start)
      }
    }
    var improved = 0
    for (offset, row) in rows.enumerated() {
      guard let change = changes[offset], change.gain > 0 else { continue }
      let before = current.sumOfSquares(ofRow: row)
      for (group, scale) in zip(order.groups, change.scales) {
        let entry = group.index * total + row
        let difference = Scalar(float16: scale) - Scalar(float16: solved.scales[entry])
        guard difference != 0 else { continue }
        for position in group.positions { solved.error[row, position] -= difference * codes[offset, position] }
      }
      // Less of the damped loss may be more of the real one.
      let undamped = change.gain + addedDiagonal * (solved.error.sumOfSquares(ofRow: row) - before)
      guard undamped > 0 else {
        let range = row * solved.columns..<(row + 1) * solved.columns
        solved.error.elements.replaceSubrange(range, with: current.elements[range])
        continue
      }
      for (group, scale) in zip(order.groups, change.scales) { solved.scales[group.index * total + row] = scale }
      solved.rowLosses[row] -= change.gain
      improved += 1
    }
    return improved
  }

  private struct RowChange: Sendable {
    /// In processing order of the groups.
    var scales: [Float16]
    /// By how much the damped loss falls.
    var gain: Double
  }

  private func minimum(_ quadratics: Quadratics, row: Int, from start: [Float16]) -> RowChange {
    let groups = start.count
    func coefficient(_ g: Int, _ h: Int) -> Double { Double(quadratics.coefficients[row, min(g, h) * groups + max(g, h)]) }
    var scales = start
    var change = [Double](repeating: 0, count: groups)
    // r − A·Δ, kept up to date.
    var residual = (0..<groups).map { Double(quadratics.linear[row, $0]) }
    var gain = 0.0
    for _ in 0..<Self.sweeps {
      for g in 0..<groups {
        let curvature = coefficient(g, g)
        guard curvature > 0 else { continue }
        let scale = Float16(Double(scales[g]) + residual[g] / curvature)
        guard scale.isFinite, scale > 0, scale != scales[g] else { continue }
        let step = Double(scale) - Double(scales[g])
        let fall = step * (2 * residual[g] - step * curvature)
        guard fall > 0 else { continue }
        gain += fall
        change[g] += step
        scales[g] = scale
        for h in 0..<groups { residual[h] -= step * coefficient(g, h) }
      }
    }
    return RowChange(scales: scales, gain: gain)
  }
}
