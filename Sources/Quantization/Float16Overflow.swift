import Transformer

/// Operations whose activations are beyond float16: quantized here in float32, but inference in float16 will overflow there.
public enum Float16Overflow {
  /// - Parameter peaks: Largest magnitude of each operation of each block.
  /// - Returns: One warning for all blocks; nil where float16 suffices.
  public static func warning(_ peaks: [[ActivationOperation: Float]]) -> String? {
    let limit = Float(Float16.greatestFiniteMagnitude)
    let places = peaks.enumerated().flatMap { block, peaks in
      ActivationOperation.allCases.compactMap { operation in
        peaks[operation].flatMap { $0 > limit ? (block: block, operation: operation, peak: $0) : nil }
      }
    }
    guard let first = places.first, let largest = places.max(by: { $0.peak < $1.peak }) else { return nil }
    let blocks = Set(places.map(\.block)).count
    return "float16 inference of this model will overflow: activations are beyond 65504 in \(blocks) of \(peaks.count) blocks, first the "
      + "\(first.operation.rawValue) of block \(first.block) with \(first.peak), most in the \(largest.operation.rawValue) of block "
      + "\(largest.block) with \(largest.peak); serve it in bfloat16. Its layers were quantized from float32 activations, which are finite"
  }
}
