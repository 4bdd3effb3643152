/// The tensors of a quantized linear as GPTQ checkpoints hold them.
///
/// Codes are a little-endian bit stream down the input channels: code j of output i is at bits j·b … j·b + b − 1 of the words
/// `qweight[:, i]`. Zero points are packed alike along the outputs.
public struct PackedLayer: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  public let bits: Int
  /// [columns·bits/32, rows].
  public let qweight: [Int32]
  /// [groups, rows·bits/32].
  public let qzeros: [Int32]
  /// [groups, rows].
  public let scales: [Float16]
  /// [columns].
  public let groupIndices: [Int32]

  public init(rows: Int, columns: Int, bits: Int, qweight: [Int32], qzeros: [Int32], scales: [Float16], groupIndices: [Int32]) {
    self.rows = rows
    self.columns = columns
    self.bits = bits
    self.qweight = qweight
    self.qzeros = qzeros
    self.scales = scales
    self.groupIndices = groupIndices
  }

  public var groupCount: Int { rows == 0 ? 0 : scales.count / rows }

  /// - Precondition: `QuantizationOptions.check` passed, so that rows and columns fill whole words, and in format v1 no zero
  ///   point is 0.
  public init(_ layer: QuantizedLayer, format: QuantizationOptions.Format) {
    precondition(layer.columns * layer.bits % 32 == 0 && layer.rows * layer.bits % 32 == 0)
    let (rows, columns, bits, groups) = (layer.rows, layer.columns, layer.bits, layer.groupCount)
    var words = [UInt32](repeating: 0, count: columns * bits / 32 * rows)
    for row in 0..<rows {
      for column in 0..<columns {
        Self.put(UInt32(layer.codes[row * columns + column]), bits: bits, at: column, stride: rows, offset: row, into: &words)
      }
    }
    let wordsPerGroup = rows * bits / 32
    var zeros = [UInt32](repeating: 0, count: groups * wordsPerGroup)
    let shift: UInt32 = format == .v1 ? 1 : 0
    for group in 0..<groups {
      for row in 0..<rows {
        let zero = UInt32(layer.zeros[group * rows + row]) - shift
        Self.put(zero, bits: bits, at: row, stride: 1, offset: group * wordsPerGroup, into: &zeros)
      }
    }
    self.init(
      rows: rows, columns: columns, bits: bits, qweight: words.map(Int32.init(bitPattern:)), qzeros: zeros.map(Int32.init(bitPattern:)),
      scales: layer.scales, groupIndices: layer.groupIndices)
  }

  /// Unpacks codes and zero points.
  public func unpacked(format: QuantizationOptions.Format) -> QuantizedLayer {
    var codes = [UInt8](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns {
        codes[row * columns + column] = UInt8(Self.get(bits: bits, at: column, stride: rows, offset: row, from: qweight))
      }
    }
    let wordsPerGroup = rows * bits / 32
    var zeros = [UInt8](repeating: 0, count: groupCount * rows)
    let mask = (UInt32(1) << UInt32(bits)) - 1
    for group in 0..<groupCount {
      for row in 0..<rows {
        let stored = Self.get(bits: bits, at: row, stride: 1, offset: group * wordsPerGroup, from: qzeros)
        zeros[group * rows + row] = UInt8((stored + (format == .v1 ? 1 : 0)) & mask)
      }
    }
    return QuantizedLayer(rows: rows, columns: columns, bits: bits, codes: codes, scales: scales, zeros: zeros, groupIndices: groupIndices)
  }

  /// Puts code number `index` into the bit stream whose words are `stride` apart.
  private static func put(_ code: UInt32, bits: Int, at index: Int, stride: Int, offset: Int, into words: inout [UInt32]) {
    let (word, bit) = (index * bits / 32, index * bits % 32)
    words[word * stride + offset] |= code << UInt32(bit)
    if bit + bits > 32 { words[(word + 1) * stride + offset] |= code >> UInt32(32 - bit) }
  }

  private static func get(bits: Int, at index: Int, stride: Int, offset: Int, from words: [Int32]) -> UInt32 {
    let (word, bit) = (index * bits / 32, index * bits % 32)
    var code = UInt32(bitPattern: words[word * stride + offset]) >> UInt32(bit)
    if bit + bits > 32 { code |= UInt32(bitPattern: words[(word + 1) * stride + offset]) << UInt32(32 - bit) }
    return code & ((UInt32(1) << UInt32(bits)) - 1)
  }
}
