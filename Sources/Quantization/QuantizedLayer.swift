import LinearAlgebra

/// A linear layer on its grid, before packing.
public struct QuantizedLayer: Sendable, Equatable {
  /// Output channels.
  public let rows: Int
  /// Input channels.
  public let columns: Int
  public let bits: Int
  /// [rows, columns], row after row.
  public var codes: [UInt8]
  /// [groups, rows].
  public var scales: [Float16]
  /// [groups, rows].
  public var zeros: [UInt8]
  /// Group of every column.
  public var groupIndices: [Int32]

  public init(
    rows: Int, columns: Int, bits: Int, codes: [UInt8], scales: [Float16], zeros: [UInt8], groupIndices: [Int32]
  ) {
    self.rows = rows
    self.columns = columns
    self.bits = bits
    self.codes = codes
    self.scales = scales
    self.zeros = zeros
    self.groupIndices = groupIndices
  }

  public var groupCount: Int { rows == 0 ? 0 : scales.count / rows }

  /// The weights that the codes stand for: (code − zero)·scale in float32, as inference computes them.
  public func dequantized() -> Matrix<Float> {
    var result = Matrix<Float>(rows: rows, columns: columns)
    let scales = scales.map { Float($0) }
    result.withMutableView { weights in
      forEachSlice(of: rows, minimum: 8) { range in
        for row in range {
          for column in 0..<columns {
            let entry = Int(groupIndices[column]) * rows + row
            weights[row, column] = Float(Int(codes[row * columns + column]) - Int(zeros[entry])) * scales[entry]
          }
        }
      }
    }
    return result
  }
}
