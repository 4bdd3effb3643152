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

/// RMS norm of every head of every row, in place.
///
/// - Parameters:
///   - x: [tokens, heads × head size].
///   - gain: One factor a channel of a head.
func normalizeHeads(_ x: MutableMatrixView<Float>, gain: [Float], epsilon: Float) {
  for first in stride(from: 0, to: x.columns, by: gain.count) {
    let head = x[rows: 0..<x.rows, columns: first..<first + gain.count]
    normalizeRows(head.readOnly, gain: gain, epsilon: epsilon, into: head)
  }
}

/// result ← activation(gate)·up; all of one shape.
///
/// - Parameter result: May be the gate itself.
func multiply(_ activation: Activation, of gate: MatrixView<Float>, by up: MatrixView<Float>, into result: MutableMatrixView<Float>) {
  switch activation {
  case .silu: multiply(gate, by: up, into: result) { $0 }
  // x·(1 + tanh u)/2 = x / (1 + e^−2u) with u = √(2/π)·(x + 0.044715·x³).
  case .gelu: multiply(gate, by: up, into: result) { x in 1.595_769_12 * x * (1 + 0.044715 * x * x) }
  }
}

/// result ← gate / (1 + e^−exponent(gate)) · up.
@inline(__always)
private func multiply(
  _ gate: MatrixView<Float>, by up: MatrixView<Float>, into result: MutableMatrixView<Float>,
  exponent: (FloatLanes) -> FloatLanes
) {
  for row in 0..<gate.rows {
    let (values, factors) = (gate.base + row * gate.rowStride, up.base + row * up.rowStride)
    let target = result.base + row * result.rowStride
    forEachLanes(gate.columns) { offset, valid in
      let x = (values + offset).lanes(valid)
      (target + offset).store(x / (1 + FloatLanes.exponential(-exponent(x))) * (factors + offset).lanes(valid), valid)
    }
  }
}

/// x ← cap·tanh(x/cap).
func limit(_ values: UnsafeMutablePointer<Float>, count: Int, to cap: Float) {
  forEachLanes(count) { offset, valid in
    let x = (values + offset).lanes(valid)
    (values + offset).store(cap - 2 * cap / (1 + FloatLanes.exponential(x * (2 / cap))), valid)
  }
}

/// x ← factor·x.
func scale(_ x: MutableMatrixView<Float>, by factor: Float) {
  for row in 0..<x.rows {
    let values = x.base + row * x.rowStride
    forEachLanes(x.columns) { offset, valid in (values + offset).store((values + offset).lanes(valid) * factor, valid) }
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

/// Softmax in place.
func softmax(_ row: UnsafeMutablePointer<Float>, count: Int) {
  var highest = FloatLanes(repeating: -.infinity)
  forEachLanes(count) { offset, valid in
    let values = (row + offset).lanes(valid, padding: -.infinity)
    highest.replace(with: values, where: values .> highest)
  }
  let maximum = highest.max()
  var sums = FloatLanes.zero
  forEachLanes(count) { offset, valid in
    var values = FloatLanes.exponential((row + offset).lanes(valid) - maximum)
    if valid < FloatLanes.laneCount { for lane in valid..<FloatLanes.laneCount { values[lane] = 0 } }
    sums += values
    (row + offset).store(values, valid)
  }
  let factor = 1 / sums.sum()
  forEachLanes(count) { offset, valid in (row + offset).store((row + offset).lanes(valid) * factor, valid) }
}

/// 1 / (1 + e^−x).
func sigmoid(_ x: Float) -> Float { 1 / (1 + FloatLanes.exponential(FloatLanes(repeating: -x))[0]) }
