import LinearAlgebra

/// What a block computes, in this order: the places where activations can overflow.
public enum ActivationOperation: String, Sendable, CaseIterable, Codable {
  case attentionNorm = "attention norm"
  case queries, keys, values
  /// Products of queries and keys before they are scaled.
  case attentionScores = "attention scores"
  case attentionOutput = "attention output"
  case attentionProjection = "attention projection"
  case hiddenAfterAttention = "hidden states after attention"
  case mlpNorm = "MLP norm"
  case gate, up
  case gatedProduct = "gated product"
  case down
  case hiddenAfterMLP = "hidden states after the MLP"
}

/// The first activation of a calibration sample that is NaN or infinite.
public struct NonFiniteActivation: Error, Hashable, Sendable, Codable, CustomStringConvertible {
  public let block: Int
  public let operation: ActivationOperation
  /// Calibration sequence, from 0.
  public let sample: Int
  /// Position in the sequence, from 0.
  public let token: Int
  /// Channel of the operation's output; for attention scores the head.
  public let channel: Int

  public var description: String {
    let channelName = operation == .attentionScores ? "head" : "channel"
    return "block \(block), \(operation.rawValue): sample \(sample), token \(token), \(channelName) \(channel)"
  }
}

/// Looks at what one block computes: the largest magnitude of each operation, and where samples stop being finite.
public final class ActivationMonitor {
  public let block: Int
  /// Tokens of a sequence.
  private let length: Int
  /// Token of the calibration data that is the first row of what is computed now.
  public var firstToken = 0
  /// Largest finite magnitude of each operation so far.
  public private(set) var peaks: [ActivationOperation: Float] = [:]
  /// By sample.
  public private(set) var nonFinite: [Int: NonFiniteActivation] = [:]

  public init(block: Int, length: Int) {
    self.block = block
    self.length = length
  }

  /// - Parameter matrix: [tokens, channels], from `firstToken` on.
  func observe(_ operation: ActivationOperation, _ matrix: Matrix<Float>) {
    matrix.withView { view in
      observe(operation, magnitudes: rowMagnitudes(view), scale: 1) { row in
        (0..<view.columns).first { !view[row, $0].isFinite } ?? 0
      }
    }
  }

  /// - Parameters:
  ///   - scores: Largest magnitude of each token's scores in each head [tokens, heads].
  ///   - scale: By which the products of queries and keys are larger.
  func observe(scores: Matrix<Float>, scale: Float) {
    scores.withView { view in
      observe(.attentionScores, magnitudes: rowMagnitudes(view), scale: scale) { row in
        (0..<view.columns).first { !view[row, $0].isFinite } ?? 0
      }
    }
  }

  /// - Parameters:
  ///   - magnitudes: Bits of each row's largest magnitude; infinity and NaN compare as larger than all numbers.
  ///   - scale: By which the operation's own values are larger.
  ///   - channel: Of the first value that isn't finite in a row.
  private func observe(_ operation: ActivationOperation, magnitudes: [UInt32], scale: Float, channel: (_ row: Int) -> Int) {
    var peak: UInt32 = 0
    for (row, magnitude) in magnitudes.enumerated() {
      guard magnitude >= Float.infinity.bitPattern else {
        peak = max(peak, magnitude)
        continue
      }
      let (sample, token) = (firstToken + row).quotientAndRemainder(dividingBy: length)
      guard nonFinite[sample] == nil else { continue }
      nonFinite[sample] = NonFiniteActivation(
        block: block, operation: operation, sample: sample, token: token, channel: channel(row))
    }
    peaks[operation] = max(peaks[operation] ?? 0, Float(bitPattern: peak) * scale)
  }
}

/// Bits of the largest magnitude in each row; not below those of infinity where a value isn't finite.
private func rowMagnitudes(_ matrix: MatrixView<Float>) -> [UInt32] {
  var result = [UInt32](repeating: 0, count: matrix.rows)
  result.withUnsafeMutableBufferPointer { result in
    guard let result = result.baseAddress else { return }
    forEachSlice(of: matrix.rows, minimum: 16) { rows in
      for row in rows { result[row] = largestMagnitude(matrix.base + row * matrix.rowStride, count: matrix.columns) }
    }
  }
  return result
}

/// Bits of the largest magnitude.
func largestMagnitude(_ values: UnsafePointer<Float>, count: Int) -> UInt32 {
  var largest: UInt32 = 0
  for index in 0..<count { largest = max(largest, values[index].bitPattern & 0x7FFF_FFFF) }
  return largest
}
