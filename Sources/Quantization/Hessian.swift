import LinearAlgebra

/// H = (2/T)·XᵀX of a layer's calibration inputs, added up chunk by chunk (NUMERICS section 1).
///
/// Chunks are multiplied in float32 and added in float64, so that more tokens never lose the small directions.
public struct HessianAccumulator: Sendable {
  /// Upper triangle of XᵀX.
  private var sum: Matrix<Double>
  private var chunk: Matrix<Float>
  /// Tokens added so far.
  public private(set) var tokens = 0

  /// - Parameter columns: Input channels n.
  public init(columns: Int) {
    sum = Matrix(rows: columns, columns: columns)
    chunk = Matrix(rows: columns, columns: columns)
  }

  /// Adds the inputs of some tokens.
  ///
  /// - Parameter inputs: [tokens, n], finite; no padding tokens among them.
  mutating func add(_ inputs: MatrixView<Float>) {
    chunk.withMutableView { addGram(of: inputs, to: $0, keeping: 0) }
    tokens += inputs.rows
    guard chunk.diagonal.allSatisfy(\.isFinite) else { return addInFloat64(inputs) }
    let size = sum.columns
    sum.withMutableView { sum in
      chunk.withView { chunk in
        forEachSlice(of: size, minimum: 16) { rows in
          for row in rows {
            let (target, source) = (sum.base + row * size, chunk.base + row * size)
            for column in row..<size { target[column] += Double(source[column]) }
          }
        }
      }
    }
  }

  /// Adds the inputs of some tokens.
  public mutating func add(_ inputs: Matrix<Float>) { inputs.withView { add($0) } }

  /// For inputs whose squares are beyond float32.
  private mutating func addInFloat64(_ inputs: MatrixView<Float>) {
    var wide = Matrix<Double>(rows: inputs.rows, columns: inputs.columns)
    for row in 0..<inputs.rows {
      for column in 0..<inputs.columns { wide[row, column] = Double(inputs[row, column]) }
    }
    wide.withView { x in sum.withMutableView { addGram(of: x, to: $0) } }
  }

  /// H [n, n], both triangles.
  public func hessian() -> Matrix<Double> {
    var result = sum
    let factor = 2 / Double(max(1, tokens))
    let size = result.columns
    result.withMutableView { result in
      // Blocks, so that the transposed half is written a cache line at a time.
      let block = 64
      forEachSlice(of: (size + block - 1) / block) { blocks in
        for first in blocks {
          let rows = first * block..<min(size, (first + 1) * block)
          for start in stride(from: rows.lowerBound, to: size, by: block) {
            for row in rows {
              for column in max(row, start)..<max(max(row, start), min(size, start + block)) {
                let value = result[row, column] * factor
                result[row, column] = value
                result[column, row] = value
              }
            }
          }
        }
      }
    }
    return result
  }
}
