import LinearAlgebra

/// What enters the linears of a stage for some tokens; valid only inside the closure that got it.
struct StageInputs {
  /// Of this rank's activation streams.
  let rows: Range<Int>
  /// As the quantized blocks before give them [rows, channels].
  let quantized: MatrixView<Float>
  /// As the original blocks give them; nil where nothing is compensated.
  var original: MatrixView<Float>?
  /// What the original layer makes of them [rows, outputs]; nil where compensation doesn't need it.
  var outputs: MatrixView<Float>?

  /// - Parameter part: Some of the rows.
  subscript(part: Range<Int>) -> StageInputs {
    let window = part.lowerBound - rows.lowerBound..<part.upperBound - rows.lowerBound
    return StageInputs(
      rows: part, quantized: quantized[rows: window], original: original.map { $0[rows: window] },
      outputs: outputs.map { $0[rows: window] })
  }
}

extension [StageInputs] {
  /// - Parameter parts: Each of rows of one element.
  func windows(of parts: [Range<Int>]) -> [StageInputs] {
    parts.compactMap { part in first { $0.rows.lowerBound <= part.lowerBound && part.upperBound <= $0.rows.upperBound }?[part] }
  }
}
