import LinearAlgebra

// Everything here computes on the calling thread.

/// RMS norm of every row: y = x / √(mean(x²) + ε) · gain.
///
/// - Parameters:
///   - gain: One factor a column.
///   - result: The shape of `x`, which it may be.
func normalizeRows(_ x: MatrixView<Float>, gain: [Float], epsilon: Float, into result: MutableMatrixView<Float>) {
  gain.withUnsafeBufferPointer { gain in
    let gain = gain.baseAddress.unsafelyUnwrapped
    for index in 0..<x.rows {
      let (row, target) = (x.base + index * x.rowStride, result.base + index * result.rowStride)
      var squares = FloatLanes.zero
      forEachLanes(x.columns) { offset, valid in
        let values = (row + offset).lanes(valid)
        squares = squares.addingProduct(values, values)
      }
      let meanSquare = squares.sum() / Float(x.columns)
      // A mean square beyond float32 would make the row 0 without a trace.
      let factor = meanSquare.isFinite ? 1 / (meanSquare + epsilon).squareRoot() : .nan
      forEachLanes(x.columns) { offset, valid in
        (target + offset).store((row + offset).lanes(valid) * factor * (gain + offset).lanes(valid), valid)
      }
    }
  }
}

/// gate ← silu(gate)·up, silu(x) = x / (1 + e^−x); both of one shape.
func multiplySilu(_ gate: MutableMatrixView<Float>, by up: MatrixView<Float>) {
  for row in 0..<gate.rows {
    let (target, factors) = (gate.base + row * gate.rowStride, up.base + row * up.rowStride)
    forEachLanes(gate.columns) { offset, valid in
      let x = (target + offset).lanes(valid)
      (target + offset).store(x / (1 + FloatLanes.exponential(-x)) * (factors + offset).lanes(valid), valid)
    }
  }
}

/// x ← x + y; both of one shape.
func add(_ y: MatrixView<Float>, to x: MutableMatrixView<Float>) {
  for row in 0..<x.rows {
    let (target, source) = (x.base + row * x.rowStride, y.base + row * y.rowStride)
    forEachLanes(x.columns) { offset, valid in
      (target + offset).store((target + offset).lanes(valid) + (source + offset).lanes(valid), valid)
    }
  }
}
