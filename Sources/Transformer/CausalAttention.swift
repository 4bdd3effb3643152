import LinearAlgebra

/// Grouped-query causal attention with softmax, all in float32.
struct CausalAttention: Sendable {
  let heads: Int
  let keyValueHeads: Int
  let headSize: Int
  /// Queries whose scores are computed at once; keys beyond the last of them are never touched.
  private static let queryBlock = 256

  /// - Parameters:
  ///   - queries: [sequences × length, heads × headSize], rotated.
  ///   - keys: [sequences × length, keyValueHeads × headSize], rotated.
  ///   - values: The shape of `keys`.
  ///   - length: Tokens of a sequence.
  ///   - monitor: Told of the scores.
  /// - Returns: The shape of `queries`.
  func callAsFunction(
    queries: Matrix<Float>, keys: Matrix<Float>, values: Matrix<Float>, length: Int, monitor: ActivationMonitor? = nil
  ) -> Matrix<Float> {
    // Of each token's scores in each head.
    var magnitudes = Matrix<Float>(rows: queries.rows, columns: heads)
    defer { monitor?.observe(scores: magnitudes, scale: Float(headSize).squareRoot()) }
    var result = Matrix<Float>(rows: queries.rows, columns: queries.columns)
    var scores = Matrix<Float>(rows: min(length, Self.queryBlock), columns: length)
    let queriesPerKey = heads / keyValueHeads
    queries.withView { queries in
      keys.withView { keys in
        values.withView { values in
          result.withMutableView { result in
            scores.withMutableView { scores in
              magnitudes.withMutableView { magnitudes in
                for start in stride(from: 0, to: queries.rows, by: length) {
                  for head in 0..<heads {
                    let channels = head * headSize..<(head + 1) * headSize
                    let keyHead = head / queriesPerKey
                    let keyChannels = keyHead * headSize..<(keyHead + 1) * headSize
                    for first in stride(from: 0, to: length, by: Self.queryBlock) {
                      let end = min(length, first + Self.queryBlock)
                      attend(
                        queries[rows: start + first..<start + end, columns: channels], at: first,
                        keys: keys[rows: start..<start + end, columns: keyChannels],
                        values: values[rows: start..<start + end, columns: keyChannels],
                        scores: scores[rows: 0..<end - first, columns: 0..<end],
                        magnitudes: magnitudes[rows: start + first..<start + end, columns: head..<head + 1],
                        into: result[rows: start + first..<start + end, columns: channels])
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return result
  }

  /// One head's queries at positions `first`… against the keys up to the last of them.
  private func attend(
    _ queries: MatrixView<Float>, at first: Int, keys: MatrixView<Float>, values: MatrixView<Float>, scores: MutableMatrixView<Float>,
    magnitudes: MutableMatrixView<Float>, into result: MutableMatrixView<Float>
  ) {
    multiply(queries, by: keys, .transposed, scale: 1 / Float(headSize).squareRoot(), into: scores)
    forEachSlice(of: scores.rows, minimum: 16) { rows in
      for row in rows {
        let (values, visible) = (scores.base + row * scores.rowStride, first + row + 1)
        magnitudes[row, 0] = Float(bitPattern: largestMagnitude(values, count: visible))
        softmax(values, visible: visible, count: scores.columns)
      }
    }
    multiply(scores.readOnly, by: values, into: result)
  }

  /// Softmax of the first `visible` values; the others become 0.
  private func softmax(_ row: UnsafeMutablePointer<Float>, visible: Int, count: Int) {
    var highest = FloatLanes(repeating: -.infinity)
    forEachLanes(visible) { offset, valid in
      let values = (row + offset).lanes(valid, padding: -.infinity)
      highest.replace(with: values, where: values .> highest)
    }
    let maximum = highest.max()
    var sums = FloatLanes.zero
    forEachLanes(visible) { offset, valid in
      var values = FloatLanes.exponential((row + offset).lanes(valid) - maximum)
      if valid < FloatLanes.laneCount { for lane in valid..<FloatLanes.laneCount { values[lane] = 0 } }
      sums += values
      (row + offset).store(values, valid)
    }
    let factor = 1 / sums.sum()
    forEachLanes(visible) { offset, valid in (row + offset).store((row + offset).lanes(valid) * factor, valid) }
    (row + visible).update(repeating: 0, count: count - visible)
  }
}
