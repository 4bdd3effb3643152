extension CheckpointFolder {
  /// Reads an F32, F16 or BF16 tensor widened to float32.
  ///
  /// - Parameters:
  ///   - rows: Of the first dimension, within it; nil: all. A tensor of no dimensions has one row.
  ///   - buffer: As many elements as the rows have.
  /// - Throws: `CheckpointError.missingTensor` and `.notFloatingPoint`.
  public func readFloats(_ name: String, rows: Range<Int>? = nil, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    let info = try info(name)
    let rowSize = info.shape.dropFirst().reduce(1, *)
    let rowCount = info.shape.first ?? 1
    let rows = rows ?? 0..<rowCount
    precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount && buffer.count == rows.count * rowSize)
    let rowBytes = rowSize * info.type.byteCount
    try withBytes(of: name) { bytes in
      let source = UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * rowBytes..<rows.upperBound * rowBytes])
      guard Float16Conversion.widen(source, of: info.type, into: buffer) else {
        throw CheckpointError.notFloatingPoint(tensor: name, type: info.type)
      }
    }
  }

  /// All elements of an F32, F16 or BF16 tensor.
  ///
  /// - Throws: As `readFloats(_:rows:into:)`.
  public func floats(_ name: String) throws -> [Float] {
    let elements = try info(name).elementCount
    return try [Float](unsafeUninitializedCapacity: elements) { buffer, count in
      count = elements
      try readFloats(name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<elements]))
    }
  }

  /// Index of the first element that is NaN or infinite; nil where all are finite, and for all types but F64, F32, F16, BF16,
  /// F8_E5M2 and F8_E4M3.
  ///
  /// - Throws: `CheckpointError.missingTensor`.
  public func firstNonFinite(_ name: String) throws -> Int? {
    let type = try info(name).type
    return try withBytes(of: name) { bytes in
      switch type {
      case .float64: Self.firstElement(of: bytes, withAllBitsOf: 0x7FF0_0000_0000_0000 as UInt64)
      case .float32: Self.firstElement(of: bytes, withAllBitsOf: 0x7F80_0000 as UInt32)
      case .float16: Self.firstElement(of: bytes, withAllBitsOf: 0x7C00 as UInt16)
      case .bfloat16: Self.firstElement(of: bytes, withAllBitsOf: 0x7F80 as UInt16)
      case .float8E5M2: Self.firstElement(of: bytes, withAllBitsOf: 0x7C as UInt8)
      case .float8E4M3: Self.firstElement(of: bytes, withAllBitsOf: 0x7F as UInt8)  // the "fn" type: NaN only, and no infinity
      default: nil
      }
    }
  }

  /// An exponent of ones is NaN or infinity; blocks without one are passed over by a loop that vectorizes.
  @inline(__always)
  private static func firstElement<Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    of bytes: UnsafeRawBufferPointer, withAllBitsOf mask: Bits
  ) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let size = MemoryLayout<Bits>.size
    let count = bytes.count / size
    let block = 4096
    for start in stride(from: 0, to: count, by: block) {
      let elements = start..<min(count, start + block)
      var largest: Bits = 0
      for index in elements { largest = max(largest, base.loadUnaligned(fromByteOffset: index &* size, as: Bits.self) & mask) }
      if largest == mask {
        return elements.first { base.loadUnaligned(fromByteOffset: $0 * size, as: Bits.self) & mask == mask }
      }
    }
    return nil
  }
}
