import LinearAlgebra

/// Random numbers that a seed decides: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
struct RandomStream {
  private var state: UInt64

  /// - Parameter part: Streams of different parts of the same seed have nothing in common.
  init(seed: UInt64, part: Int = 0) {
    state = Self.mixed(seed) &+ UInt64(truncatingIfNeeded: part)
    state = Self.mixed(state)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mixed(state)
  }

  private static func mixed(_ bits: UInt64) -> UInt64 {
    var z = bits
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

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
