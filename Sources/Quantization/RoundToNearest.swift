import LinearAlgebra

/// Quantizes every weight to the nearest point of its group's min–max grid.
///
/// - Parameters:
///   - weight: [outputs, inputs], finite.
///   - layer: For messages.
/// - Throws: `QuantizationError.scaleOverflow`.
public func roundToNearest(_ weight: Matrix<Float>, options: QuantizationOptions, layer: String) throws(QuantizationError) -> QuantizedLayer
{
  let (rows, columns) = (weight.rows, weight.columns)
  let order = ColumnOrder(.none, importance: [Double](repeating: 0, count: columns), groupLength: options.groupLength(columns: columns))
  var result = QuantizedLayer(
    rows: rows, columns: columns, bits: options.bits, codes: [UInt8](repeating: 0, count: rows * columns),
    scales: [Float16](repeating: 0, count: order.groups.count * rows), zeros: [UInt8](repeating: 0, count: order.groups.count * rows),
    groupIndices: order.groupIndices)
  for row in 0..<rows {
    for group in order.groups {
      let values = weight.elements[row * columns + group.positions.lowerBound..<row * columns + group.positions.upperBound]
      guard let grid = Grid(spanning: min(0, values.min() ?? 0), max(0, values.max() ?? 0), options: options) else {
        throw .scaleOverflow(layer: layer, largest: Double(values.map(abs).max() ?? 0))
      }
      result.scales[group.index * rows + row] = grid.scale
      result.zeros[group.index * rows + row] = grid.zero
      for index in values.indices { result.codes[index] = grid.code(values[index], maximum: options.maximumCode) }
    }
  }
  return result
}
