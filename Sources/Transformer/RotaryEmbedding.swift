import Foundation
import LinearAlgebra

/// Rotary position embedding in the "rotate half" layout of Hugging Face: channel i is paired with i + size/2, where size is that
/// of a head, or of its first channels that are turned.
struct RotaryEmbedding: Sendable {
  private let headSize: Int
  /// [positions, size/2].
  private let cosines: Matrix<Float>
  private let sines: Matrix<Float>

  /// - Parameter positions: Tokens of a sequence.
  init(_ scheme: RotaryScheme, positions: Int, headSize: Int) {
    let frequencies = scheme.frequencies(length: positions)
    self.headSize = headSize
    func table(_ function: (Double) -> Double) -> Matrix<Float> {
      Matrix(
        rows: positions, columns: frequencies.count,
        elements: (0..<positions).flatMap { position in
          frequencies.map { Float(function(Double(position) * Double($0))) * scheme.magnitude }
        })
    }
    cosines = table { cos($0) }
    sines = table { sin($0) }
  }

  /// Rotates every head of every token, on the calling thread.
  ///
  /// - Parameters:
  ///   - x: [tokens, heads × head size].
  ///   - first: Number of the first token, counted from the start of some sequence of `length` tokens.
  ///   - length: Tokens of a sequence.
  func rotate(_ x: MutableMatrixView<Float>, first: Int, length: Int) {
    let half = cosines.columns
    cosines.withView { cosines in
      sines.withView { sines in
        for row in 0..<x.rows {
          let position = (first + row) % length
          let (cosine, sine) = (cosines.base + position * half, sines.base + position * half)
          for head in stride(from: 0, to: x.columns, by: headSize) {
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
