import Foundation
import LinearAlgebra

/// The parts of a decoder-only language model outside its blocks, computed without ever holding a whole vocabulary matrix.
public struct CausalLanguageModel<Source: TensorSource>: Sendable {
  public let configuration: ModelConfiguration
  public let source: Source
  private let finalNorm: [Float]
  private let outputHead: String
  /// Rows of the output projection that are widened to float32 at once.
  private static var vocabularyChunk: Int { 8192 }

  /// - Throws: `ModelError` where the tensors don't have the configuration's shapes.
  public init(_ configuration: ModelConfiguration, from source: Source) throws {
    self.configuration = configuration
    self.source = source
    let architecture = configuration.architecture
    outputHead = configuration.tiesEmbeddings ? architecture.embedding : architecture.outputHead
    for name in Set([architecture.embedding, outputHead]) {
      try source.requireShape([configuration.vocabularySize, configuration.hiddenSize], of: name)
    }
    finalNorm = try source.vector(architecture.finalNorm, count: configuration.hiddenSize)
  }

  /// - Parameter tokens: Ids of one or more sequences, one after the other.
  /// - Returns: [tokens, hidden size].
  /// - Throws: `ModelError.tokenOutOfRange`.
  public func embed(_ tokens: some Collection<Int32>) throws -> Matrix<Float> {
    let size = configuration.hiddenSize
    var hidden = Matrix<Float>(rows: tokens.count, columns: size)
    try hidden.elements.withUnsafeMutableBufferPointer { buffer in
      for (position, token) in tokens.enumerated() {
        let token = Int(token)
        guard (0..<configuration.vocabularySize).contains(token) else {
          throw ModelError.tokenOutOfRange(token: token, vocabularySize: configuration.vocabularySize)
        }
        let row = UnsafeMutableBufferPointer(rebasing: buffer[position * size..<(position + 1) * size])
        try source.readRows(token..<token + 1, of: configuration.architecture.embedding, into: row)
      }
    }
    return hidden
  }

  /// The last block's output, normalized as the output projection reads it.
  public func normalize(_ hidden: Matrix<Float>) -> Matrix<Float> {
    normalizeRows(hidden, gain: finalNorm, epsilon: configuration.normEpsilon)
  }

  /// - Parameter normalized: [tokens, hidden size].
  /// - Returns: [tokens, vocabulary size].
  public func logits(_ normalized: Matrix<Float>) throws -> Matrix<Float> {
    var result = Matrix<Float>(rows: normalized.rows, columns: configuration.vocabularySize)
    try forEachVocabularyChunk { rows, head in
      normalized.withView { x in
        head.withView { head in
          result.withMutableView { multiply(x, by: head, .transposed, into: $0[rows: 0..<x.rows, columns: rows]) }
        }
      }
    }
    return result
  }

  /// −log p(target | …) of every token, in nats.
  ///
  /// - Parameters:
  ///   - normalized: [tokens, hidden size].
  ///   - targets: The token that follows each.
  public func negativeLogLikelihoods(_ normalized: Matrix<Float>, targets: [Int32]) throws -> [Double] {
    precondition(targets.count == normalized.rows)
    var maxima = [Float](repeating: -.infinity, count: targets.count)
    var sums = [Double](repeating: 0, count: targets.count)
    var targetLogits = [Float](repeating: 0, count: targets.count)
    try forEachVocabularyChunk { rows, head in
      var logits = Matrix<Float>(rows: normalized.rows, columns: rows.count)
      normalized.withView { x in
        head.withView { head in logits.withMutableView { multiply(x, by: head, .transposed, into: $0) } }
      }
      logits.withView { logits in
        for token in 0..<targets.count {
          let row = logits.base + token * logits.rowStride
          let (maximum, sum) = sumOfExponentials(row, count: rows.count)
          let highest = max(maxima[token], maximum)
          sums[token] = sums[token] * exp(Double(maxima[token] - highest)) + sum * exp(Double(maximum - highest))
          maxima[token] = highest
          if rows.contains(Int(targets[token])) { targetLogits[token] = row[Int(targets[token]) - rows.lowerBound] }
        }
      }
    }
    return targets.indices.map { log(sums[$0]) + Double(maxima[$0] - targetLogits[$0]) }
  }

  private func forEachVocabularyChunk(_ body: (Range<Int>, Matrix<Float>) throws -> Void) throws {
    for start in stride(from: 0, to: configuration.vocabularySize, by: Self.vocabularyChunk) {
      let rows = start..<min(configuration.vocabularySize, start + Self.vocabularyChunk)
      try body(rows, source.rows(rows, of: outputHead, columns: configuration.hiddenSize))
    }
  }
}

/// The largest value of a row and the sum of e^(x − largest).
private func sumOfExponentials(_ row: UnsafePointer<Float>, count: Int) -> (maximum: Float, sum: Double) {
  var highest = FloatLanes(repeating: -.infinity)
  forEachLanes(count) { offset, valid in
    let values = (row + offset).lanes(valid, padding: -.infinity)
    highest.replace(with: values, where: values .> highest)
  }
  let maximum = highest.max()
  var sum = 0.0
  forEachLanes(count) { offset, valid in
    let terms = FloatLanes.exponential((row + offset).lanes(valid, padding: -.infinity) - maximum)
    for lane in 0..<valid { sum += Double(terms[lane]) }
  }
  return (maximum, sum)
}
