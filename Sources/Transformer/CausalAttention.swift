import LinearAlgebra

/// Grouped-query causal attention with softmax, all in float32.
struct CausalAttention: Sendable {
  let heads: Int
  let keyValueHeads: Int
  let headSize: Int
  /// What products of queries and keys are multiplied by.
  let scale: Float
  /// c of c·tanh(x/c), which bounds the scores; nil: unbounded.
  let cap: Float?
  /// Tokens that a query attends to, itself among them; nil: all before.
  let window: Int?
  /// Queries whose scores are computed at once; keys that none of them sees are never touched.
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
        let firstKey = window.map { max(0, first - $0 + 1) } ?? 0
        let (channels, keyChannels) = (head * headSize..<(head + 1) * headSize, keyHead * headSize..<(keyHead + 1) * headSize)
        attend(
          queries[rows: start + first..<start + end, columns: channels], at: first - firstKey,
          keys: keys[rows: start + firstKey..<start + end, columns: keyChannels],
          values: values[rows: start + firstKey..<start + end, columns: keyChannels],
          magnitudes: magnitudes[rows: start + first..<start + end, columns: head..<head + 1],
          into: result[rows: start + first..<start + end, columns: channels])
      }
      monitor?.observe(scores: magnitudes.readOnly, scale: 1 / scale)
    }
  }

  /// One head's queries, the first at the position of key `first`, against the keys that they see.
  private func attend(
    _ queries: MatrixView<Float>, at first: Int, keys: MatrixView<Float>, values: MatrixView<Float>, magnitudes: MutableMatrixView<Float>,
    into result: MutableMatrixView<Float>
  ) {
    withScratchMatrix(rows: queries.rows, columns: keys.rows) { scores in
      multiply(queries, by: keys, .transposed, scale: scale, into: scores)
      for row in 0..<scores.rows {
        let values = scores.base + row * scores.rowStride
        let visible = max(0, first + row + 1 - (window ?? .max))..<first + row + 1
        magnitudes[row, 0] = Float(bitPattern: largestMagnitude(values + visible.lowerBound, count: visible.count))
        if let cap { limit(values + visible.lowerBound, count: visible.count, to: cap) }
        values.update(repeating: 0, count: visible.lowerBound)
        softmax(values + visible.lowerBound, count: visible.count)
        (values + visible.upperBound).update(repeating: 0, count: scores.columns - visible.upperBound)
      }
      multiply(scores.readOnly, by: values, into: result)
    }
  }
}
