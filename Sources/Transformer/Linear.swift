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

  /// - Parameter x: [tokens, inputs].
  /// - Returns: [tokens, outputs].
  public func callAsFunction(_ x: Matrix<Float>) -> Matrix<Float> {
    var result = Matrix<Float>(rows: x.rows, columns: weight.rows)
    if let bias {
      result.withMutableView { rows in
        for row in 0..<rows.rows { (rows.base + row * rows.rowStride).update(from: bias, count: bias.count) }
      }
    }
    result.withMutableView { result in
      x.withView { x in
        weight.withView { weight in multiply(x, by: weight, .transposed, into: result, keeping: bias == nil ? 0 : 1) }
      }
    }
    return result
  }
}
