import LinearAlgebra

/// Reproducible matrices of numbers between −1 and 1.
struct RandomMatrix {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }

  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) / Double(1 << 52) - 1
  }

  mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix<Double> {
    Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in next() })
  }

  /// A·Aᵀ + I.
  func positiveDefinite(_ size: Int) -> Matrix<Double> {
    var generator = self
    let a = generator.matrix(size, size)
    var result = Matrix<Double>(rows: size, columns: size)
    for row in 0..<size {
      for column in 0..<size {
        result[row, column] = (0..<size).reduce(row == column ? 1.0 : 0.0) { $0 + a[row, $1] * a[column, $1] }
      }
    }
    return result
  }
}
