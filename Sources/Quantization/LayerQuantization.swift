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
  /// Part of the rows that compensation moved, for the better on held-out sequences; nil where it is off.
  public let errorCompensationKept: Double?
}

extension DampedHessian {
  /// Quantizes one of the linears that read this Hessian's input.
  ///
  /// Rows of a layer don't interact: a few at a time go through all steps on one core. Search and refinement are kept row by row where
  /// the loss falls, compensation for those few rows where held-out inputs are better for it.
  ///
  /// - Parameters:
  ///   - weight: [m, n], finite.
  ///   - compensation: nil: nothing to compensate.
  ///   - layer: For messages.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`.
  package func quantize(
    _ weight: Matrix<Float>, compensation: CompensationProposal? = nil, options: QuantizationOptions, layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    switch factor {
    case .float32(let factor): try quantize(weight, compensation, factor: factor, options: options, layer: name)
    case .float64(let factor): try quantize(weight, compensation, factor: factor, options: options, layer: name)
    }
  }

  private func quantize<Scalar: BLASScalar>(
    _ weight: Matrix<Float>, _ compensation: CompensationProposal?, factor: ReverseCholesky<Scalar>, options: QuantizationOptions,
    layer name: String
  ) throws(QuantizationError) -> LayerQuantization {
    let rows = RowQuantizer(hessian: self, factor: factor, compensation: compensation, options: options, layer: name)
    let slices = rows.slices(of: weight.rows)
    var results = [Result<QuantizedRows, QuantizationError>?](repeating: nil, count: slices.count)
    results.withUnsafeMutableBufferPointer { results in
      nonisolated(unsafe) let results = results  // reason: each task writes its own element
      weight.withView { weight in
        forEachTask(slices.count) { index in
          let window = weight[rows: slices[index]]
          let shift = compensation?.correlation.withView { Matrix<Scalar>($0[rows: slices[index]]) }
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
  private var (searched, refined, compensated) = (0, 0, 0)

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
    compensated += rows.compensated
  }

  var quantization: LayerQuantization {
    func part(_ rows: Int, if isOn: Bool) -> Double? { isOn ? Double(rows) / Double(max(1, layer.rows)) : nil }
    return LayerQuantization(
      layer: layer, loss: loss, relativeLoss: energy > 0 ? loss / energy : 0,
      scaleSearchKept: part(searched, if: options.searchesScales), scaleRefinementKept: part(refined, if: options.refinesScales),
      errorCompensationKept: part(compensated, if: options.errorCompensation > 0))
  }
}
