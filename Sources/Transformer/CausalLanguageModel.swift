import Foundation
import LinearAlgebra

/// The parts of a decoder-only language model outside its blocks, computed without ever holding a whole vocabulary matrix.
public struct CausalLanguageModel<Source: TensorSource>: Sendable {
  public let configuration: ModelConfiguration
  public let source: Source
  private let finalNorm: [Float]
  private let outputHead: String
  /// Rows of the output projection that are widened to float32 at once.
  private static var vocabularyChunk: Int { 2048 }
  /// Tokens that a core computes at once.
  private static var tokensAtOnce: Int { 256 }

  /// - Throws: `ModelError` where the tensors don't have the configuration's shapes.
  public init(_ configuration: ModelConfiguration, from source: Source) throws {
    self.configuration = configuration
    self.source = source
    let architecture = configuration.architecture
    outputHead = configuration.tiesEmbeddings ? architecture.embedding : architecture.outputHead
    for name in Set([architecture.embedding, outputHead]) {
      try source.requireShape([configuration.vocabularySize, configuration.hiddenSize], of: name)
    }
    finalNorm = try source.gain(architecture.finalNorm, count: configuration.hiddenSize, of: architecture)
  }

  /// - Parameters:
  ///   - tokens: Ids of one or more sequences, one after the other.
  ///   - hidden: Gets their embeddings [tokens, hidden size].
  /// - Throws: `ModelError.tokenOutOfRange`.
  public func embed(_ tokens: some Collection<Int32>, into hidden: MutableMatrixView<Float>) throws {
    for (position, token) in tokens.enumerated() {
      let token = Int(token)
      guard (0..<configuration.vocabularySize).contains(token) else {
        throw ModelError.tokenOutOfRange(token: token, vocabularySize: configuration.vocabularySize)
      }
      let row = UnsafeMutableBufferPointer(start: hidden.base + position * hidden.rowStride, count: hidden.columns)
      try source.readRows(token..<token + 1, of: configuration.architecture.embedding, into: row)
    }
    if configuration.embeddingScale != 1 { scale(hidden, by: configuration.embeddingScale) }
  }

  /// The last block's output, normalized as the output projection reads it.
  ///
  /// - Parameter hidden: [tokens, hidden size].
  public func normalize(_ hidden: MatrixView<Float>, monitor: ActivationMonitor? = nil) -> Matrix<Float> {
    Matrix(rows: hidden.rows, columns: hidden.columns) { result in
      forEachSlice(of: hidden.rows, length: Self.tokensAtOnce) { rows in
        normalizeRows(hidden[rows: rows], gain: finalNorm, epsilon: configuration.normEpsilon, into: result[rows: rows])
        monitor?.observe(.finalNorm, result[rows: rows].readOnly, at: rows)
      }
    }
  }

  /// - Parameter normalized: [tokens, hidden size].
  /// - Returns: [tokens, vocabulary size].
  public func logits(_ normalized: Matrix<Float>) throws -> Matrix<Float> {
    var result = Matrix<Float>(rows: normalized.rows, columns: configuration.vocabularySize)
    try forEachVocabularyChunk { chunk, head in
      normalized.withView { x in
        result.withMutableView { result in
          let logits = result[rows: 0..<x.rows, columns: chunk]
          multiplyOnAllCores(x, by: head, .transposed, into: logits)
          limit(logits)
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
  ///   - batch: Tokens of which none is computed together with one of another batch; nil: all may be.
  public func negativeLogLikelihoods(_ normalized: Matrix<Float>, targets: [Int32], batch: Int? = nil) throws -> [Double] {
    precondition(targets.count == normalized.rows)
    var sums = [ExponentialSum](repeating: ExponentialSum(), count: targets.count)
    var targetLogits = [Float](repeating: 0, count: targets.count)
    let slices = Self.slices(of: targets.count, batch: batch ?? max(1, targets.count))
    try forEachVocabularyChunk { chunk, head in
      normalized.withView { x in
        sums.withUnsafeMutableBufferPointer { sums in
          targetLogits.withUnsafeMutableBufferPointer { targetLogits in
            nonisolated(unsafe) let (sums, targetLogits) = (sums, targetLogits)  // reason: each slice writes its own tokens
            forEachTask(slices.count) { slice in
              let tokens = slices[slice]
              withScratchMatrix(rows: tokens.count, columns: chunk.count) { logits in
                multiply(x[rows: tokens], by: head, .transposed, into: logits)
                limit(logits)
                for (row, token) in tokens.enumerated() {
                  let values = UnsafePointer(logits.base + row * logits.rowStride)
                  sums[token].add(values, count: chunk.count)
                  if chunk.contains(Int(targets[token])) { targetLogits[token] = values[Int(targets[token]) - chunk.lowerBound] }
                }
              }
            }
          }
        }
      }
    }
    return targets.indices.map { sums[$0].logarithm - Double(targetLogits[$0]) }
  }

  /// What cores compute at once.
  private static func slices(of count: Int, batch: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: batch).flatMap { start in
      stride(from: start, to: min(count, start + batch), by: tokensAtOnce).map { $0..<min(count, start + batch, $0 + tokensAtOnce) }
    }
  }

  private func limit(_ logits: MutableMatrixView<Float>) {
    guard let cap = configuration.logitCap else { return }
    for row in 0..<logits.rows { Transformer.limit(logits.base + row * logits.rowStride, count: logits.columns, to: cap) }
  }

  private func forEachVocabularyChunk(_ body: (Range<Int>, MatrixView<Float>) throws -> Void) throws {
    for start in stride(from: 0, to: configuration.vocabularySize, by: Self.vocabularyChunk) {
      let chunk = start..<min(configuration.vocabularySize, start + Self.vocabularyChunk)
      try source.rows(chunk, of: outputHead, columns: configuration.hiddenSize).withView { try body(chunk, $0) }
    }
  }
}

/// Σ e^x over values that come piece by piece.
private struct ExponentialSum {
  private var highest = -Float.infinity
  /// Σ e^(x − highest).
  private var sum = 0.0

  var logarithm: Double { log(sum) + Double(highest) }

  mutating func add(_ values: UnsafePointer<Float>, count: Int) {
    var lanes = FloatLanes(repeating: -.infinity)
    forEachLanes(count) { offset, valid in
      let part = (values + offset).lanes(valid, padding: -.infinity)
      lanes.replace(with: part, where: part .> lanes)
    }
    let maximum = max(highest, lanes.max())
    sum *= exp(Double(highest - maximum))
    highest = maximum
    // Few enough terms of 0…1 for float32.
    for start in stride(from: 0, to: count, by: 1024) {
      var terms = FloatLanes.zero
      forEachLanes(min(1024, count - start)) { offset, valid in
        let part = FloatLanes.exponential((values + start + offset).lanes(valid, padding: -.infinity) - maximum)
        terms += part
      }
      sum += Double(terms.sum())
    }
  }
}
