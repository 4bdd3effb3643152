import LinearAlgebra

/// The recurrence inside a few columns of one group. Rows never interact: 16 rows at a time are handled in the lanes of vectors.
struct RecurrenceBlock<Scalar: BLASScalar> {
  /// Most columns of a block.
  static var width: Int { 128 }
  private typealias Lanes = SIMD16<Scalar>
  private static var lanes: Int { 16 }

  /// Positions in processing order.
  let columns: Range<Int>
  let maximumCode: Int
  /// Rkk of the block's columns.
  private let pivots: [Scalar]
  /// Row k holds R[j, k] / R[k, k] of the block's columns j < k [width, width].
  private let ratios: [Scalar]

  init(columns: Range<Int>, factor: Matrix<Scalar>, maximumCode: Int) {
    self.columns = columns
    self.maximumCode = maximumCode
    pivots = columns.map { factor[$0, $0] }
    var ratios = [Scalar](repeating: 0, count: columns.count * columns.count)
    for k in 0..<columns.count {
      for j in 0..<k {
        ratios[k * columns.count + j] = factor[columns.lowerBound + j, columns.lowerBound + k] / pivots[k]
      }
    }
    self.ratios = ratios
  }

  /// Finds codes and errors of the block's columns.
  ///
  /// - Parameters:
  ///   - weight: [m, n].
  ///   - shift: E·R over all columns before the block; its column 0 is position `shiftStart`.
  ///   - grids: One a row.
  ///   - solved: Gets the codes and errors, and Σ Rkk²·(w'_k − q_k)² added to each row's loss.
  func solve(weight: Matrix<Scalar>, shift: Matrix<Scalar>, shiftStart: Int, grids: [Grid], into solved: inout SolvedLayer<Scalar>) {
    let rows = weight.rows
    let rowLength = solved.columns
    weight.withView { weight in
      shift.withView { shift in
        solved.error.withMutableView { error in
          solved.factoredError.withMutableView { factored in
            solved.codes.withUnsafeMutableBufferPointer { codes in
              let codes = MutableCodes(base: codes.baseAddress.unsafelyUnwrapped, rowLength: rowLength)
              for first in stride(from: 0, to: rows, by: Self.lanes) {
                let range = first..<min(rows, first + Self.lanes)
                let loss = solve(
                  rows: range, weight: weight, shift: shift, shiftStart: shiftStart, grids: grids, error: error, factored: factored,
                  codes: codes)
                for (lane, row) in range.enumerated() { solved.rowLosses[row] += Double(loss[lane]) }
              }
            }
          }
        }
      }
    }
  }

  private struct MutableCodes {
    let base: UnsafeMutablePointer<UInt8>
    let rowLength: Int
  }

  private func solve(
    rows: Range<Int>, weight: MatrixView<Scalar>, shift: MatrixView<Scalar>, shiftStart: Int, grids: [Grid],
    error: MutableMatrixView<Scalar>, factored: MutableMatrixView<Scalar>, codes: MutableCodes
  ) -> Lanes {
    var (scale, zero) = (Lanes(repeating: 1), Lanes.zero)
    for (lane, row) in rows.enumerated() {
      scale[lane] = Scalar(float16: grids[row].scale)
      zero[lane] = Scalar(grids[row].zero)
    }
    let highest = Lanes(repeating: Scalar(maximumCode))
    var loss = Lanes.zero
    let shiftOffset = columns.lowerBound - shiftStart
    withUnsafeTemporaryAllocation(of: Lanes.self, capacity: columns.count) { errors in
      ratios.withUnsafeBufferPointer { ratios in
        for k in 0..<columns.count {
          let column = columns.lowerBound + k
          var (original, target) = (Lanes.zero, Lanes.zero)
          for (lane, row) in rows.enumerated() {
            original[lane] = weight[row, column]
            target[lane] = shift[row, shiftOffset + k]
          }
          target = original + target / pivots[k]
          target += Self.weightedSum(errors, by: ratios.baseAddress.unsafelyUnwrapped + k * columns.count, count: k)
          let centred = Scalar.rounded(Scalar.limited(target / scale, -zero, highest - zero))
          let quantized = centred * scale
          let difference = (target - quantized) * pivots[k]
          loss += difference * difference
          errors[k] = original - quantized
          let bytes = Scalar.bytes(centred + zero)
          for (lane, row) in rows.enumerated() {
            codes.base[row * codes.rowLength + column] = bytes[lane]
            error[row, column] = errors[k][lane]
            factored[row, column] = difference[lane]
          }
        }
      }
    }
    return loss
  }

  /// Σ_{j<count} values[j]·factors[j], in four sums that don't wait for each other.
  @inline(__always)
  private static func weightedSum(_ values: UnsafeMutableBufferPointer<Lanes>, by factors: UnsafePointer<Scalar>, count: Int) -> Lanes {
    var (a, b, c, d) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
    var j = 0
    while j + 4 <= count {
      a.addProduct(values[j], Lanes(repeating: factors[j]))
      b.addProduct(values[j + 1], Lanes(repeating: factors[j + 1]))
      c.addProduct(values[j + 2], Lanes(repeating: factors[j + 2]))
      d.addProduct(values[j + 3], Lanes(repeating: factors[j + 3]))
      j += 4
    }
    while j < count {
      a.addProduct(values[j], Lanes(repeating: factors[j]))
      j += 1
    }
    return (a + b) + (c + d)
  }
}
