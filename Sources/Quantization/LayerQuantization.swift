import LinearAlgebra
import Ranks

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
  ///   - ranks: Each quantizes some of the rows, and gets the others'.
  /// - Throws: `QuantizationError.scaleOverflow` and `.nonFiniteResult`; `RankError`.
  package func quantize(
    _ weight: Matrix<Float>, compensation: CompensationProposal? = nil, options: QuantizationOptions, layer name: String,
    ranks: any RankGroup = SoloRank()
  ) throws -> LayerQuantization {
    switch factor {
    case .float32(let factor):
      try quantize(
        weight, RowQuantizer(hessian: self, factor: factor, compensation: compensation, options: options, layer: name), compensation, ranks)
    case .float64(let factor):
      try quantize(
        weight, RowQuantizer(hessian: self, factor: factor, compensation: compensation, options: options, layer: name), compensation, ranks)
    }
  }

  private func quantize<Scalar: BLASScalar>(
    _ weight: Matrix<Float>, _ rows: RowQuantizer<Scalar>, _ compensation: CompensationProposal?, _ ranks: any RankGroup
  ) throws -> LayerQuantization {
    let slices = rows.slices(of: weight.rows)
    let own = slices.indices.filter { $0 % ranks.count == ranks.rank }
    var results = [Result<QuantizedRows, QuantizationError>?](repeating: nil, count: slices.count)
    results.withUnsafeMutableBufferPointer { results in
      nonisolated(unsafe) let results = results  // reason: each task writes its own element
      weight.withView { weight in
        forEachTask(own.count) { index in
          let slice = slices[own[index]]
          let window = weight[rows: slice]
          let correlation = compensation?.correlation(ofRows: slice, window)?.withView { Matrix<Scalar>($0) }
          results[own[index]] = Result { () throws(QuantizationError) in
            try rows.quantize(Matrix<Scalar>(window), correlation: correlation)
          }
        }
      }
    }
    var assembly = LayerAssembly(rows: weight.rows, order: order, options: rows.options)
    let all = try ranks.gathered(results.compactMap(\.self), of: slices, columns: weight.columns, groups: order.groups.count, rows.layer)
    for (slice, result) in zip(slices, all) { assembly.add(try result.get(), at: slice) }
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
