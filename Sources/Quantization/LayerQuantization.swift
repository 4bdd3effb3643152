import LinearAlgebra

/// A linear layer that was quantized, with what it cost.
public struct LayerQuantization: Sendable {
  public let layer: QuantizedLayer
  /// tr((W−Q)·H·(W−Q)ᵀ); W the weights, moved where an earlier error is compensated. nil for methods that have no Hessian.
  public let loss: Double?
  /// The loss divided by tr(W·H·Wᵀ).
  public let relativeLoss: Double?
  /// Part of the rows whose searched scales have the smaller loss; nil where none were searched.
  public let scaleSearchKept: Double?
  /// Part of the rows that refined scales made better; nil where none were refined.
  public let scaleRefinementKept: Double?
}

extension DampedHessian {
  /// Quantizes one of the linears that read this Hessian's input.
  ///
  /// Rows of a layer don't interact: a few at a time go through all steps on one core. Each optional step is kept row by row,
  /// where the measured loss falls.
  ///
  /// - Parameters:
  ///   - weight: [m, n], finite.
  ///   - correlation: α·W·D [m, n] of NUMERICS section 5, which moves the weights by α·W·D·Hd⁻¹ first; nil: nothing to compensate.
  ///   - layer: For messages.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`.
  package func quantize(
    _ weight: Matrix<Float>, compensating correlation: Matrix<Float>? = nil, options: QuantizationOptions, layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    switch factor {
    case .float32(let factor): try quantize(weight, correlation, factor: factor, options: options, layer: name)
    case .float64(let factor): try quantize(weight, correlation, factor: factor, options: options, layer: name)
    }
  }

  private func quantize<Scalar: BLASScalar>(
    _ weight: Matrix<Float>, _ correlation: Matrix<Float>?, factor: ReverseCholesky<Scalar>, options: QuantizationOptions,
    layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    let rows = RowQuantizer(hessian: self, factor: factor, options: options, layer: name)
    let slices = rows.slices(of: weight.rows)
    var results = [Result<QuantizedRows, QuantizationError>?](repeating: nil, count: slices.count)
    results.withUnsafeMutableBufferPointer { results in
      nonisolated(unsafe) let results = results  // reason: each task writes its own element
      weight.withView { weight in
        forEachTask(slices.count) { index in
          let window = weight[rows: slices[index], columns: 0..<weight.columns]
          let shift = correlation?.withView { Matrix<Scalar>($0[rows: slices[index], columns: 0..<weight.columns]) }
          results[index] = Result { () throws(QuantizationError) in try rows.quantize(Matrix<Scalar>(window), correlation: shift) }
        }
      }
    }
    var assembly = LayerAssembly(rows: weight.rows, order: order, options: options)
    for (slice, result) in zip(slices, results) { if let result { assembly.add(try result.get(), at: slice) } }
    return assembly.quantization
  }
}

/// Puts the rows of a layer together.
private struct LayerAssembly {
  private var layer: QuantizedLayer
  private let options: QuantizationOptions
  private var (loss, energy) = (0.0, 0.0)
  private var (searched, refined) = (0, 0)

  init(rows: Int, order: ColumnOrder, options: QuantizationOptions) {
    let entries = rows * order.groups.count
    layer = QuantizedLayer(
      rows: rows, columns: order.columns.count, bits: options.bits, codes: [], scales: [Float16](repeating: 0, count: entries),
      zeros: [UInt8](repeating: 0, count: entries), groupIndices: order.groupIndices)
    layer.codes.reserveCapacity(rows * order.columns.count)
    self.options = options
  }

  /// - Parameter range: Follows the rows that were added before.
  mutating func add(_ rows: QuantizedRows, at range: Range<Int>) {
    layer.codes += rows.codes
    for group in 0..<layer.scales.count / max(1, layer.rows) {
      for (index, row) in range.enumerated() {
        layer.scales[group * layer.rows + row] = rows.scales[group * range.count + index]
        layer.zeros[group * layer.rows + row] = rows.zeros[group * range.count + index]
      }
    }
    loss += rows.loss
    energy += rows.energy
    searched += rows.searched
    refined += rows.refined
  }

  var quantization: LayerQuantization {
    let rows = Double(max(1, layer.rows))
    return LayerQuantization(
      layer: layer, loss: loss, relativeLoss: energy > 0 ? loss / energy : 0,
      scaleSearchKept: options.searchesScales ? Double(searched) / rows : nil,
      scaleRefinementKept: options.refinesScales ? Double(refined) / rows : nil)
  }
}
