import LinearAlgebra

/// y = x·Wᵀ + b.
public struct Linear: Sendable {
  /// [outputs, inputs].
  public var weight: Matrix<Float>
  /// One value an output channel.
  public let bias: [Float]?

  public init(weight: Matrix<Float>, bias: [Float]?) {
    self.weight = weight
    self.bias = bias
  }

  var outputs: Int { weight.rows }

  /// Computes on the calling thread.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - y: [tokens, outputs].
  func callAsFunction(_ x: MatrixView<Float>, into y: MutableMatrixView<Float>) {
    if let bias {
      for row in 0..<y.rows { (y.base + row * y.rowStride).update(from: bias, count: bias.count) }
    }
    weight.withView { multiply(x, by: $0, .transposed, into: y, keeping: bias == nil ? 0 : 1) }
  }
}
