import LinearAlgebra

/// Moves a layer's weights to make up for the error that the layers before it left in its inputs (NUMERICS section 5).
///
/// With X the inputs that the original layer saw, X̂ those that come from quantized layers and D = (2/T)·(X − X̂)ᵀ·X̂, the target
/// of quantization becomes W + α·W·D·Hd⁻¹. Whether that is kept is decided on sequences that are in neither D nor H.
struct ErrorCompensation {
  /// α.
  let strength: Double
  private var sum: Matrix<Float>
  private var tokens = 0

  init(strength: Double, columns: Int) {
    self.strength = strength
    sum = Matrix(rows: columns, columns: columns)
  }

  /// - Parameters:
  ///   - original: X [tokens, n].
  ///   - quantized: X̂ [tokens, n].
  mutating func add(_ original: MatrixView<Float>, _ quantized: MatrixView<Float>) {
    var difference = Matrix<Float>(rows: original.rows, columns: original.columns)
    difference.withMutableView { difference in
      forEachSlice(of: original.rows, minimum: 16) { rows in
        for row in rows {
          let target = difference.base + row * difference.rowStride
          let (a, b) = (original.base + row * original.rowStride, quantized.base + row * quantized.rowStride)
          for column in 0..<difference.columns { target[column] = a[column] - b[column] }
        }
      }
    }
    difference.withView { difference in
      sum.withMutableView { multiply(difference, .transposed, by: quantized, into: $0, keeping: 1) }
    }
    tokens += original.rows
  }

  /// α·W·D [m, n]; nil where it isn't finite or there is no error to make up for.
  func correlation(of weight: Matrix<Float>) -> Matrix<Float>? {
    var result = Matrix<Float>(rows: weight.rows, columns: weight.columns)
    let scale = Float(strength * 2 / Double(max(1, tokens)))
    result.withMutableView { result in
      weight.withView { weight in sum.withView { multiply(weight, by: $0, scale: scale, into: result) } }
    }
    let squares = result.sumOfSquares
    return squares.isFinite && squares > 0 ? result : nil
  }
}

/// ‖X·Wᵀ − X̂·Qᵀ‖² of two candidates for Q over held-out tokens.
struct HeldOutError {
  private(set) var plain = 0.0
  private(set) var compensated = 0.0

  mutating func add(
    original: Matrix<Float>, quantized: Matrix<Float>, weight: Matrix<Float>, plain plainWeight: Matrix<Float>,
    compensated compensatedWeight: Matrix<Float>
  ) {
    var target = Matrix<Float>(rows: original.rows, columns: weight.rows)
    target.withMutableView { target in
      original.withView { x in weight.withView { multiply(x, by: $0, .transposed, into: target) } }
    }
    func error(_ candidate: Matrix<Float>) -> Double {
      var difference = target
      difference.withMutableView { difference in
        quantized.withView { x in
          candidate.withView { multiply(x, by: $0, .transposed, scale: -1, into: difference, keeping: 1) }
        }
      }
      return difference.sumOfSquares
    }
    plain += error(plainWeight)
    compensated += error(compensatedWeight)
  }

  var improves: Bool { compensated < plain }
}
