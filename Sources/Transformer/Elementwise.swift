import LinearAlgebra

/// RMS norm of every row: y = x / √(mean(x²) + ε) · gain.
///
/// - Parameter gain: One factor a column.
func normalizeRows(_ x: Matrix<Float>, gain: [Float], epsilon: Float) -> Matrix<Float> {
  var result = x
  result.withMutableView { rows in
    gain.withUnsafeBufferPointer { gain in
      let gain = gain.baseAddress.unsafelyUnwrapped
      forEachSlice(of: rows.rows, minimum: 8) { range in
        for index in range {
          let row = rows.base + index * rows.rowStride
          var squares = FloatLanes.zero
          forEachLanes(rows.columns) { offset, valid in
            let values = (row + offset).lanes(valid)
            squares = squares.addingProduct(values, values)
          }
          let meanSquare = squares.sum() / Float(rows.columns)
          // A mean square beyond float32 would make the row 0 without a trace.
          let factor = meanSquare.isFinite ? 1 / (meanSquare + epsilon).squareRoot() : .nan
          forEachLanes(rows.columns) { offset, valid in
            (row + offset).store((row + offset).lanes(valid) * factor * (gain + offset).lanes(valid), valid)
          }
        }
      }
    }
  }
  return result
}

/// gate ← silu(gate)·up, silu(x) = x / (1 + e^−x); both of one shape.
func multiplySilu(_ gate: inout Matrix<Float>, by up: Matrix<Float>) {
  gate.withMutableView { gate in
    up.withView { up in
      forEachSlice(of: gate.rows * gate.columns, minimum: 4096) { range in
        let (gate, up) = (gate.base + range.lowerBound, up.base + range.lowerBound)
        forEachLanes(range.count) { offset, valid in
          let x = (gate + offset).lanes(valid)
          (gate + offset).store(x / (1 + FloatLanes.exponential(-x)) * (up + offset).lanes(valid), valid)
        }
      }
    }
  }
}

/// x ← x + y; both of one shape.
func add(_ y: Matrix<Float>, to x: inout Matrix<Float>) {
  x.withMutableView { x in
    y.withView { y in
      forEachSlice(of: x.rows * x.columns, minimum: 8192) { range in
        let (x, y) = (x.base + range.lowerBound, y.base + range.lowerBound)
        forEachLanes(range.count) { offset, valid in (x + offset).store((x + offset).lanes(valid) + (y + offset).lanes(valid), valid) }
      }
    }
  }
}
