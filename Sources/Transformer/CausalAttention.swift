import LinearAlgebra

/// Grouped-query causal attention with softmax, all in float32.
struct CausalAttention: Sendable {
  let heads: Int
  let keyValueHeads: Int
  let headSize: Int
  /// Queries whose scores are computed at once; keys beyond the last of them are never touched.
  private static let queryBlock = 128

  /// - Parameters:
  ///   - queries: [sequences × length, heads × headSize], rotated.
  ///   - keys: [sequences × length, keyValueHeads × headSize], rotated.
  ///   - values: The shape of `keys`.
  ///   - length: Tokens of a sequence.
  ///   - result: The shape of `queries`.
  ///   - monitor: Told of the scores.
  func callAsFunction(
    queries: MatrixView<Float>, keys: MatrixView<Float>, values: MatrixView<Float>, length: Int, into result: MutableMatrixView<Float>,
    monitor: ActivationMonitor? = nil
  ) {
    let blocks = (length + Self.queryBlock - 1) / Self.queryBlock
    withScratchMatrix(rows: queries.rows, columns: heads) { magnitudes in
      forEachTask(queries.rows / length * heads * blocks) { task in
        let (start, head) = (task / (heads * blocks) * length, task / blocks % heads)
        // The last queries of a sequence see the most keys: they go first.
        let first = (blocks - 1 - task % blocks) * Self.queryBlock
        let end = min(length, first + Self.queryBlock)
        let keyHead = head / (heads / keyValueHeads)
        let (channels, keyChannels) = (head * headSize..<(head + 1) * headSize, keyHead * headSize..<(keyHead + 1) * headSize)
        attend(
          queries[rows: start + first..<start + end, columns: channels], at: first,
          keys: keys[rows: start..<start + end, columns: keyChannels], values: values[rows: start..<start + end, columns: keyChannels],
          magnitudes: magnitudes[rows: start + first..<start + end, columns: head..<head + 1],
          into: result[rows: start + first..<start + end, columns: channels])
      }
      monitor?.observe(scores: magnitudes.readOnly, scale: Float(headSize).squareRoot())
    }
  }

  /// One head's queries at positions `first`… against the keys up to the last of them.
  private func attend(
    _ queries: MatrixView<Float>, at first: Int, keys: MatrixView<Float>, values: MatrixView<Float>, magnitudes: MutableMatrixView<Float>,
    into result: MutableMatrixView<Float>
  ) {
    withScratchMatrix(rows: queries.rows, columns: keys.rows) { scores in
      multiply(queries, by: keys, .transposed, scale: 1 / Float(headSize).squareRoot(), into: scores)
      for row in 0..<scores.rows {
        let (values, visible) = (scores.base + row * scores.rowStride, first + row + 1)
        magnitudes[row, 0] = Float(bitPattern: largestMagnitude(values, count: visible))
        softmax(values, visible: visible, count: scores.columns)
      }
      multiply(scores.readOnly, by: values, into: result)
    }
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
