import LinearAlgebra
import Quantization

/// Random numbers that a seed decides.
struct RandomStream {
  private var generator: SplitMix64

  /// - Parameter part: Streams of different parts of the same seed have nothing in common.
  init(seed: UInt64, part: Int = 0) {
    var seeds = SplitMix64(seed: seed)
    seeds = SplitMix64(seed: seeds.next() &+ UInt64(truncatingIfNeeded: part))
    generator = SplitMix64(seed: seeds.next())
  }

  mutating func next() -> UInt64 { generator.next() }

  /// Puts numbers of mean 0, equally distributed in ±√3·`deviation`, at some indices.
  mutating func fill(_ indices: Range<Int>, of values: inout MutableSpan<Float>, deviation: Float) {
    let scale = deviation * Float(3).squareRoot() / 32_768
    var bits: UInt64 = 0
    for index in indices {
      if (index - indices.lowerBound) % 4 == 0 { bits = next() }
      values[index] = Float(Int16(truncatingIfNeeded: bits)) * scale
      bits >>= 16
    }
  }
}

extension Matrix<Float> {
  /// Random numbers of mean 0 and deviation 1.
  static func random(rows: Int, columns: Int, seed: UInt64) -> Matrix {
    var elements = [Float](repeating: 0, count: rows * columns)
    var stream = RandomStream(seed: seed)
    var span = elements.mutableSpan
    stream.fill(span.indices, of: &span, deviation: 1)
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}
