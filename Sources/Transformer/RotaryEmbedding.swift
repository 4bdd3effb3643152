import Foundation
import LinearAlgebra

/// Rotary position embedding in the "rotate half" layout of Hugging Face: channel i is paired with i + size/2.
struct RotaryEmbedding: Sendable {
  /// [positions, size/2].
  private let cosines: Matrix<Float>
  private let sines: Matrix<Float>

  /// - Parameter frequencies: Radians by which a position turns each pair of channels; half as many as a head has channels.
  init(positions: Int, frequencies: [Float]) {
    let half = frequencies.count
    let angles = (0..<positions).flatMap { position in frequencies.map { Double(position) * Double($0) } }
    cosines = Matrix(rows: positions, columns: half, elements: angles.map { Float(cos($0)) })
    sines = Matrix(rows: positions, columns: half, elements: angles.map { Float(sin($0)) })
  }

  /// θ^(−2i/size) for i < size/2.
  static func frequencies(size: Int, theta: Double) -> [Float] {
    (0..<size / 2).map { Float(pow(theta, -2 * Double($0) / Double(size))) }
  }

  /// Rotates every head of every token, on the calling thread.
  ///
  /// - Parameters:
  ///   - x: [tokens, heads × size].
  ///   - first: Number of the first token, counted from the start of some sequence of `length` tokens.
  ///   - length: Tokens of a sequence.
  func rotate(_ x: MutableMatrixView<Float>, first: Int, length: Int) {
    let half = cosines.columns
    cosines.withView { cosines in
      sines.withView { sines in
        for row in 0..<x.rows {
          let position = (first + row) % length
          let (cosine, sine) = (cosines.base + position * half, sines.base + position * half)
          for head in stride(from: 0, to: x.columns, by: 2 * half) {
            let low = x.base + row * x.rowStride + head
            let high = low + half
            forEachLanes(half) { offset, valid in
              let (a, b) = ((low + offset).lanes(valid), (high + offset).lanes(valid))
              let (c, s) = ((cosine + offset).lanes(valid), (sine + offset).lanes(valid))
              (low + offset).store(a * c - b * s, valid)
              (high + offset).store(b * c + a * s, valid)
            }
          }
        }
      }
    }
  }
}
