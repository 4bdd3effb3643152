import LinearAlgebra

/// Rows of a linear layer that were quantized, with what it cost.
public struct LayerQuantization: Sendable {
  public let layer: QuantizedLayer
  public let totals: RowTotals
}

/// What quantization cost some rows of a layer, and how many of them gained by each optional step.
public struct RowTotals: Sendable, Hashable {
  public private(set) var rows = 0
  /// tr((W−Q)·H·(W−Q)ᵀ); W the weights, moved where an earlier error is compensated.
  public private(set) var loss = 0.0
  /// tr(W·H·Wᵀ).
  private var energy = 0.0
  /// Rows whose searched scales have the smaller loss.
  private var searched = 0
  /// Rows that refined scales made better.
  private var refined = 0
  /// Rows that compensation moved, for the better on held-out sequences.
  private var compensated = 0

  init() {}

  init(_ parts: [RowTotals]) {
    for part in parts {
      rows += part.rows
      loss += part.loss
      energy += part.energy
      searched += part.searched
      refined += part.refined
      compensated += part.compensated
    }
  }

  mutating func add(_ part: QuantizedRows, rows count: Int) {
    rows += count
    loss += part.loss
    energy += part.energy
    searched += part.searched
    refined += part.refined
    compensated += part.compensated
  }

  /// The loss divided by tr(W·H·Wᵀ).
  public var relativeLoss: Double { energy > 0 ? loss / energy : 0 }

  /// What each step that was asked for is worth.
  public func kept(_ options: QuantizationOptions) -> LayerOutcome.Kept {
    func part(_ count: Int, if isOn: Bool) -> Double? { isOn ? Double(count) / Double(max(1, rows)) : nil }
    return LayerOutcome.Kept(
      scaleSearch: part(searched, if: options.searchesScales), scaleRefinement: part(refined, if: options.refinesScales),
      errorCompensation: part(compensated, if: options.errorCompensation > 0))
  }
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
  private var totals = RowTotals()

  init(rows: Int, order: ColumnOrder, options: QuantizationOptions) {
    let entries = rows * order.groups.count
    layer = QuantizedLayer(
      rows: rows, columns: order.columns.count, bits: options.bits, codes: [], scales: [Float16](repeating: 0, count: entries),
      zeros: [UInt8](repeating: 0, count: entries), groupIndices: order.groupIndices)
    layer.codes.reserveCapacity(rows * order.columns.count)
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
    totals.add(rows, rows: range.count)
  }

  var quantization: LayerQuantization { LayerQuantization(layer: layer, totals: totals) }
}
