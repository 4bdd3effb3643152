extension CheckpointFolder {
  /// Reads an F32, F16 or BF16 tensor widened to float32.
  ///
  /// - Parameters:
  ///   - rows: Of the first dimension; nil: all.
  ///   - buffer: As many elements as the rows have.
  /// - Throws: `CheckpointError.missingTensor` and `.notFloatingPoint`.
  public func readFloats(_ name: String, rows: Range<Int>? = nil, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    let info = try info(name)
    let rowSize = info.shape.dropFirst().reduce(1, *)
    let rows = rows ?? 0..<(info.shape.first ?? 1)
    precondition(rows.lowerBound >= 0 && rows.upperBound <= info.shape.first ?? 1 && buffer.count == rows.count * rowSize)
    guard let target = buffer.baseAddress else { return }
    try withBytes(of: name) { bytes in
      guard let base = bytes.baseAddress else { return }
      try Self.widen(base + rows.lowerBound * rowSize * info.type.byteCount, info, count: buffer.count, into: target)
    }
  }

  /// All elements of an F32, F16 or BF16 tensor.
  public func floats(_ name: String) throws -> [Float] {
    let elements = try info(name).elementCount
    return try [Float](unsafeUninitializedCapacity: elements) { buffer, count in
      count = elements
      try readFloats(name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<elements]))
    }
  }

  /// Index of the first element that is NaN or infinite; nil where all are finite or the type isn't F32, F16 or BF16.
  public func firstNonFinite(_ name: String) throws -> Int? {
    let info = try info(name)
    return try withBytes(of: name) { bytes in
      switch info.type {
      case .float32: Self.firstElement(of: bytes, as: UInt32.self, withAllBitsOf: 0x7F80_0000)
      case .float16: Self.firstElement(of: bytes, as: UInt16.self, withAllBitsOf: 0x7C00)
      case .bfloat16: Self.firstElement(of: bytes, as: UInt16.self, withAllBitsOf: 0x7F80)
      default: nil
      }
    }
  }

  /// An exponent of ones is NaN or infinity.
  private static func firstElement<Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    of bytes: UnsafeRawBufferPointer, as type: Bits.Type, withAllBitsOf mask: Bits
  ) -> Int? {
    let size = MemoryLayout<Bits>.size
    let block = 4096
    let count = bytes.count / size
    for start in stride(from: 0, to: count, by: block) {
      let end = min(count, start + block)
      var found = false
      for index in start..<end { found = found || bytes.loadUnaligned(fromByteOffset: index * size, as: Bits.self) & mask == mask }
      if found {
        return (start..<end).first { bytes.loadUnaligned(fromByteOffset: $0 * size, as: Bits.self) & mask == mask }
      }
    }
    return nil
  }

  private static func widen(_ source: UnsafeRawPointer, _ info: TensorInfo, count: Int, into target: UnsafeMutablePointer<Float>) throws {
    switch info.type {
    case .float32:
      UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
    case .float16:
      for index in 0..<count { target[index] = Float(source.loadUnaligned(fromByteOffset: index * 2, as: Float16.self)) }
    case .bfloat16:
      for index in 0..<count {
        target[index] = Float(bitPattern: UInt32(source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16)
      }
    default:
      throw CheckpointError.notFloatingPoint(tensor: info.name, type: info.type)
    }
  }
}
