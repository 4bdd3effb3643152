import LinearAlgebra
import Synchronization

/// What a model computes, in this order: the places where activations can overflow.
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
  /// Input of the output head, after the last block.
  case finalNorm = "final norm"

  /// Place in the order of computation.
  var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
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

  /// The same of a sequence that has another number.
  public func ofSample(_ sample: Int) -> NonFiniteActivation {
    NonFiniteActivation(block: block, operation: operation, sample: sample, token: token, channel: channel)
  }

  public var description: String {
    let channelName = operation == .attentionScores ? "head" : "channel"
    return "block \(block), \(operation.rawValue): sample \(sample), token \(token), \(channelName) \(channel)"
  }
}

/// Looks at what one block computes: the largest magnitude of each operation, and where samples stop being finite.
///
/// Several cores may tell it of their tokens at once; what it knows in the end doesn't depend on their order.
public final class ActivationMonitor: Sendable {
  public let block: Int
  /// Tokens of a sequence.
  private let length: Int

  private struct Findings {
    var firstToken = 0
    /// By `ActivationOperation.order`.
    var peaks = [Float?](repeating: nil, count: ActivationOperation.allCases.count)
    var nonFinite: [Int: NonFiniteActivation] = [:]
  }

  private let findings = Mutex(Findings())

  public init(block: Int, length: Int) {
    self.block = block
    self.length = length
  }

  /// Token of the calibration data that is the first row of what is computed now.
  public var firstToken: Int {
    get { findings.withLock { $0.firstToken } }
    set { findings.withLock { $0.firstToken = newValue } }
  }

  /// Largest finite magnitude of each operation so far.
  public var peaks: [ActivationOperation: Float] {
    findings.withLock { findings in
      Dictionary(
        uniqueKeysWithValues: zip(ActivationOperation.allCases, findings.peaks).compactMap { operation, peak in peak.map { (operation, $0) }
        })
    }
  }

  /// By sample.
  public var nonFinite: [Int: NonFiniteActivation] { findings.withLock { $0.nonFinite } }

  /// - Parameters:
  ///   - values: [rows, channels].
  ///   - tokens: Of the rows, counted from `firstToken`.
  func observe(_ operation: ActivationOperation, _ values: MatrixView<Float>, at tokens: some RandomAccessCollection<Int>) {
    observe(operation, values, scale: 1) { tokens[tokens.index(tokens.startIndex, offsetBy: $0)] }
  }

  /// - Parameters:
  ///   - scores: Largest magnitude of each token's scores in each head [tokens, heads], from `firstToken` on.
  ///   - scale: By which the products of queries and keys are larger.
  func observe(scores: MatrixView<Float>, scale: Float) { observe(.attentionScores, scores, scale: scale) { $0 } }

  private func observe(_ operation: ActivationOperation, _ values: MatrixView<Float>, scale: Float, token number: (Int) -> Int) {
    let infinity = Float.infinity.bitPattern
    var peak: UInt32 = 0
    var bad: [Int] = []
    for row in 0..<values.rows {
      let magnitude = largestMagnitude(values.base + row * values.rowStride, count: values.columns)
      if magnitude < infinity { peak = max(peak, magnitude) } else { bad.append(row) }
    }
    findings.withLock { findings in
      findings.peaks[operation.order] = max(findings.peaks[operation.order] ?? 0, Float(bitPattern: peak) * scale)
      for row in bad {
        let (sample, token) = (findings.firstToken + number(row)).quotientAndRemainder(dividingBy: length)
        if let known = findings.nonFinite[sample], (known.operation.order, known.token) <= (operation.order, token) { continue }
        findings.nonFinite[sample] = NonFiniteActivation(
          block: block, operation: operation, sample: sample, token: token,
          channel: (0..<values.columns).first { !values[row, $0].isFinite } ?? 0)
      }
    }
  }
}

/// Bits of the largest magnitude; infinity and NaN compare as larger than all numbers.
func largestMagnitude(_ values: UnsafePointer<Float>, count: Int) -> UInt32 {
  var largest: UInt32 = 0
  for index in 0..<count { largest = max(largest, values[index].bitPattern & 0x7FFF_FFFF) }
  return largest
}
