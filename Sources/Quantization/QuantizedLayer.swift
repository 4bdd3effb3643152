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
    let runs = groupRuns
    return Matrix(rows: rows, columns: columns) { weights in
      codes.withUnsafeBufferPointer { codes in
        guard let codes = codes.baseAddress else { return }
        forEachSlice(of: rows, minimum: 8) { range in
          for row in range {
            let (source, target) = (codes + row * columns, weights.base + row * columns)
            for run in runs {
              let (zero, scale) = (Float(zeros[run.group * rows + row]), Float(scales[run.group * rows + row]))
              for column in run.columns { target[column] = (Float(source[column]) - zero) * scale }
            }
          }
        }
      }
    }
  }

  /// Neighbouring columns that share a group.
  private var groupRuns: [(group: Int, columns: Range<Int>)] {
    var runs: [(group: Int, columns: Range<Int>)] = []
    for (column, group) in groupIndices.enumerated() {
      if let last = runs.last, last.group == Int(group) {
        runs[runs.count - 1].columns = last.columns.lowerBound..<column + 1
      } else {
        runs.append((Int(group), column..<column + 1))
      }
    }
    return runs
  }
}
