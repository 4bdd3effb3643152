/// Conversion of the 16-bit types of checkpoints to `Float`, a buffer at a time; exact.
public enum Float16Conversion {
  /// - Parameters:
  ///   - source: Little-endian elements of `type`, aligned or not; as many as `target` has.
  ///   - type: float32, float16 or bfloat16.
  /// - Returns: false, with nothing written, for any other type.
  public static func widen(_ source: UnsafeRawBufferPointer, of type: ScalarType, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
    precondition(source.count == target.count * type.byteCount)
    switch type {
    case .float32: UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
    case .float16: widen(source, into: target) { Float(Float16(bitPattern: $0)) }
    case .bfloat16: widen(source, into: target) { Float(bfloat16Bits: $0) }
    default: return false
    }
    return true
  }

  @inline(__always)
  private static func widen(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>, _ value: (UInt16) -> Float) {
    guard let source = source.baseAddress, let output = target.baseAddress else { return }
    // Bare pointers: a loop over the buffers isn't vectorized.
    for index in 0..<target.count { output[index] = value(source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) }
  }
}

extension Float {
  /// The value whose upper half these bits are; exact.
  public init(bfloat16Bits bits: UInt16) { self.init(bitPattern: UInt32(bits) << 16) }
}
