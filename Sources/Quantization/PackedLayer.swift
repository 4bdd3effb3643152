import LinearAlgebra

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
    var words = [Int32](repeating: 0, count: columns * bits / 32 * rows)
    words.withUnsafeMutableBufferPointer { words in
      layer.codes.withUnsafeBufferPointer { codes in
        guard let words = words.baseAddress, let codes = codes.baseAddress else { return }
        // 16 words of 4 bytes fill a cache line.
        forEachSlice(of: rows, length: 16) { slice in
          for row in slice { Self.pack(codes + row * columns, count: columns, bits: bits, into: words + row, stride: rows) }
        }
      }
    }
    let wordsPerGroup = rows * bits / 32
    var zeros = [Int32](repeating: 0, count: groups * wordsPerGroup)
    let stored = layer.zeros.map { format == .v1 ? $0 - 1 : $0 }
    zeros.withUnsafeMutableBufferPointer { zeros in
      stored.withUnsafeBufferPointer { stored in
        guard let zeros = zeros.baseAddress, let stored = stored.baseAddress else { return }
        for group in 0..<groups {
          Self.pack(stored + group * rows, count: rows, bits: bits, into: zeros + group * wordsPerGroup, stride: 1)
        }
      }
    }
    self.init(
      rows: rows, columns: columns, bits: bits, qweight: words, qzeros: zeros, scales: layer.scales, groupIndices: layer.groupIndices)
  }

  /// Rows of one layer, part after part.
  ///
  /// - Precondition: All parts have the same columns and groups; but for the last their rows divide by 32.
  /// - Returns: nil where there are no parts.
  package init?(joiningRows parts: [PackedLayer]) {
    guard let first = parts.first else { return nil }
    guard parts.count > 1 else {
      self = first
      return
    }
    func joined<Value: BitwiseCopyable>(_ values: KeyPath<PackedLayer, [Value]>, lines: Int) -> [Value] {
      (0..<lines).flatMap { line in
        parts.flatMap { part in
          let width = part[keyPath: values].count / max(1, lines)
          return part[keyPath: values][line * width..<(line + 1) * width]
        }
      }
    }
    self.init(
      rows: parts.reduce(0) { $0 + $1.rows }, columns: first.columns, bits: first.bits,
      qweight: joined(\.qweight, lines: first.columns * first.bits / 32), qzeros: joined(\.qzeros, lines: first.groupCount),
      scales: joined(\.scales, lines: first.groupCount), groupIndices: first.groupIndices)
  }

  /// Unpacks codes and zero points.
  public func unpacked(format: QuantizationOptions.Format) -> QuantizedLayer {
    var codes = [UInt8](repeating: 0, count: rows * columns)
    codes.withUnsafeMutableBufferPointer { codes in
      qweight.withUnsafeBufferPointer { words in
        guard let codes = codes.baseAddress, let words = words.baseAddress else { return }
        forEachSlice(of: rows, length: 16) { slice in
          for row in slice { Self.unpack(words + row, stride: rows, bits: bits, into: codes + row * columns, count: columns) }
        }
      }
    }
    let wordsPerGroup = rows * bits / 32
    var zeros = [UInt8](repeating: 0, count: groupCount * rows)
    zeros.withUnsafeMutableBufferPointer { zeros in
      qzeros.withUnsafeBufferPointer { words in
        guard let zeros = zeros.baseAddress, let words = words.baseAddress else { return }
        for group in 0..<groupCount {
          Self.unpack(words + group * wordsPerGroup, stride: 1, bits: bits, into: zeros + group * rows, count: rows)
        }
      }
    }
    if format == .v1 { zeros = zeros.map { ($0 &+ 1) & UInt8(truncatingIfNeeded: (1 << bits) - 1) } }
    return QuantizedLayer(rows: rows, columns: columns, bits: bits, codes: codes, scales: scales, zeros: zeros, groupIndices: groupIndices)
  }

  /// Makes a bit stream whose words are `stride` apart.
  ///
  /// - Precondition: `count` codes of `bits` bits fill whole words.
  private static func pack(_ codes: UnsafePointer<UInt8>, count: Int, bits: Int, into words: UnsafeMutablePointer<Int32>, stride: Int) {
    var (pending, filled, word) = (UInt64(0), 0, words)
    for index in 0..<count {
      pending |= UInt64(codes[index]) << UInt64(filled)
      filled += bits
      guard filled >= 32 else { continue }
      word.pointee = Int32(truncatingIfNeeded: pending)
      word += stride
      pending >>= 32
      filled -= 32
    }
  }

  private static func unpack(_ words: UnsafePointer<Int32>, stride: Int, bits: Int, into codes: UnsafeMutablePointer<UInt8>, count: Int) {
    var (pending, filled, word) = (UInt64(0), 0, words)
    let mask = (UInt64(1) << UInt64(bits)) - 1
    for index in 0..<count {
      if filled < bits {
        pending |= UInt64(UInt32(bitPattern: word.pointee)) << UInt64(filled)
        word += stride
        filled += 32
      }
      codes[index] = UInt8(truncatingIfNeeded: pending & mask)
      pending >>= UInt64(bits)
      filled -= bits
    }
  }
}
