import Checkpoint

/// What makes 16-bit test data from floats; rounds to nearest, ties to even.
extension Float16Conversion {
  /// - Parameters:
  ///   - type: float32, float16 or bfloat16.
  ///   - target: Room for as many little-endian elements of `type` as `source` has, aligned or not.
  /// - Returns: false, with nothing written, for any other type.
  static func narrow(_ source: UnsafeBufferPointer<Float>, to type: ScalarType, into target: UnsafeMutableRawBufferPointer) -> Bool {
    precondition(target.count == source.count * type.byteCount)
    switch type {
    case .float32: target.copyMemory(from: UnsafeRawBufferPointer(source))
    case .float16:
      for index in source.indices { target.storeBytes(of: Float16(source[index]), toByteOffset: index * 2, as: Float16.self) }
    case .bfloat16:
      for index in source.indices { target.storeBytes(of: source[index].bfloat16Bits, toByteOffset: index * 2, as: UInt16.self) }
    default: return false
    }
    return true
  }
}

extension Float {
  /// The nearest bfloat16, ties to even.
  var bfloat16Bits: UInt16 {
    let rounded = (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16
    // Rounding could carry a NaN's payload away, or into infinity: keep its upper half and make it quiet.
    return UInt16(truncatingIfNeeded: isNaN ? bitPattern >> 16 | 0x40 : rounded)
  }
}
