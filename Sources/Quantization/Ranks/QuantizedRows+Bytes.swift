import Ranks

extension RankGroup {
  /// The slices of a layer's rows that all ranks quantized, in order.
  ///
  /// - Parameters:
  ///   - own: This rank's: every `count`-th, from its own number on.
  ///   - slices: All of them.
  ///   - columns, groups, layer: Of the layer.
  /// - Throws: `RankError`.
  func gathered(
    _ own: [Result<QuantizedRows, QuantizationError>], of slices: [Range<Int>], columns: Int, groups: Int, _ layer: String
  ) throws -> [Result<QuantizedRows, QuantizationError>] {
    guard count > 1 else { return own }
    var bytes: [UInt8] = []
    for result in own { try result.append(to: &bytes) }
    var readers = try allGather(bytes).map { ByteReader(bytes: $0[...]) }
    return slices.enumerated().map { index, slice in
      index % count == rank
        ? own[index / count]
        : Result(&readers[index % count], rows: slice.count, columns: columns, groups: groups, layer: layer)
    }
  }
}

/// What ranks tell each other of the rows that they quantized.
extension Result where Success == QuantizedRows, Failure == QuantizationError {
  private enum Kind: UInt8 { case success, scaleOverflow, nonFiniteResult }

  /// - Throws: A failure that no rows of a layer can have.
  fileprivate func append(to bytes: inout [UInt8]) throws {
    switch self {
    case .success(let rows):
      bytes.append(Kind.success.rawValue)
      rows.append(to: &bytes)
    case .failure(.scaleOverflow(_, let largest)):
      bytes.append(Kind.scaleOverflow.rawValue)
      bytes.append(values: [largest])
    case .failure(.nonFiniteResult): bytes.append(Kind.nonFiniteResult.rawValue)
    case .failure(let error): throw error
    }
  }

  /// - Parameters:
  ///   - reader: Of what `append` made.
  ///   - rows, columns, groups: Of the rows.
  ///   - layer: That they are of.
  fileprivate init(_ reader: inout ByteReader, rows: Int, columns: Int, groups: Int, layer: String) {
    let kind: [UInt8] = reader.values(1)
    switch Kind(rawValue: kind[0]) {
    case .success: self = .success(QuantizedRows(&reader, rows: rows, columns: columns, groups: groups))
    case .scaleOverflow: self = .failure(.scaleOverflow(layer: layer, largest: reader.values(1)[0]))
    case .nonFiniteResult, nil: self = .failure(.nonFiniteResult(layer: layer))
    }
  }
}

extension QuantizedRows {
  fileprivate func append(to bytes: inout [UInt8]) {
    bytes.append(values: [loss, energy])
    bytes.append(values: [searched, refined, compensated])
    bytes.append(values: scales)
    bytes += zeros
    bytes += codes
  }

  fileprivate init(_ reader: inout ByteReader, rows: Int, columns: Int, groups: Int) {
    let sums: [Double] = reader.values(2)
    let counts: [Int] = reader.values(3)
    let (scales, zeros): ([Float16], [UInt8]) = (reader.values(groups * rows), reader.values(groups * rows))
    self.init(
      codes: reader.values(rows * columns), scales: scales, zeros: zeros, loss: sums[0], energy: sums[1], searched: counts[0],
      refined: counts[1], compensated: counts[2])
  }
}

extension [UInt8] {
  fileprivate mutating func append(values: [some BitwiseCopyable]) { values.withUnsafeBytes { append(contentsOf: $0) } }
}

/// Takes values from bytes, in the order of this kind of processor.
private struct ByteReader {
  var bytes: ArraySlice<UInt8>

  mutating func values<Value: BitwiseCopyable>(_ count: Int) -> [Value] {
    let size = count * MemoryLayout<Value>.stride
    precondition(bytes.count >= size, "\(bytes.count) bytes are left, \(size) are needed")
    defer { bytes = bytes.dropFirst(size) }
    return [Value](unsafeUninitializedCapacity: count) { values, initialized in
      bytes.prefix(size).withUnsafeBytes { UnsafeMutableRawBufferPointer(values).copyMemory(from: $0) }
      initialized = count
    }
  }
}
