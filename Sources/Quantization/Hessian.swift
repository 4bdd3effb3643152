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

  /// Where an input is NaN or infinite, counted in the chunk's rows.
  public struct NonFiniteInput: Error, Hashable, Sendable {
    public let token: Int
    public let channel: Int
  }

  /// Adds the inputs of some tokens.
  ///
  /// - Parameter inputs: [tokens, n]; no padding tokens among them.
  /// - Throws: `NonFiniteInput`; nothing was added then.
  public mutating func add(_ inputs: Matrix<Float>) throws(NonFiniteInput) {
    inputs.withView { x in chunk.withMutableView { addGram(of: x, to: $0, keeping: 0) } }
    if let channel = chunk.diagonal.firstIndex(where: { !$0.isFinite }) {
      let token = (0..<inputs.rows).first { !inputs[$0, channel].isFinite } ?? 0
      throw NonFiniteInput(token: token, channel: channel)
    }
    let size = sum.columns
    sum.withMutableView { sum in
      chunk.withView { chunk in
        forEachSlice(of: size, minimum: 16) { rows in
          for row in rows {
            for column in row..<size { sum[row, column] += Double(chunk[row, column]) }
          }
        }
      }
    }
    tokens += inputs.rows
  }

  /// H [n, n], both triangles.
  public func hessian() -> Matrix<Double> {
    var result = sum
    let factor = 2 / Double(max(1, tokens))
    for row in 0..<result.rows {
      for column in row..<result.columns {
        let value = result[row, column] * factor
        result[row, column] = value
        result[column, row] = value
      }
    }
    return result
  }
}
