// Lane by lane in generic code, vectorised here: the standard library's generic `clamped`, `rounded`, comparisons and conversions of SIMD
// types are loops over the lanes, some by way of the widest type that the compiler knows.

extension Float {
  @inlinable public var float16: Float16 { Float16(self) }
  @inlinable public init(float16: Float16) { self = Float(float16) }

  @inlinable @inline(__always)
  public static func roundedToFloat16(_ lanes: SIMD16<Float>) -> SIMD16<Float> { SIMD16<Float>(SIMD16<Float16>(lanes)) }

  @inlinable @inline(__always)
  public static func bytes(_ lanes: SIMD16<Float>) -> SIMD16<UInt8> {
    let shifted = lanes + 12_582_912  // leaves the integer in the low bits
    var result = SIMD16<UInt8>()
    for lane in 0..<16 { result[lane] = UInt8(truncatingIfNeeded: shifted[lane].bitPattern) }
    return result
  }

  @inlinable @inline(__always)
  public static func limited(_ lanes: SIMD16<Float>, _ low: SIMD16<Float>, _ high: SIMD16<Float>) -> SIMD16<Float> {
    var result = lanes
    result.replace(with: low, where: .!(lanes .>= low))
    result.replace(with: high, where: lanes .> high)
    return result
  }

  @inlinable @inline(__always)
  public static func magnitudes(_ lanes: SIMD16<Float>) -> SIMD16<Float> {
    unsafeBitCast(unsafeBitCast(lanes, to: SIMD16<UInt32>.self) & 0x7FFF_FFFF, to: SIMD16<Float>.self)
  }

  @inlinable @inline(__always)
  public static func rounded(_ lanes: SIMD16<Float>) -> SIMD16<Float> {
    let magic: Float = 12_582_912  // 1.5·2^23: what is added to it has no bits for a fraction
    return (lanes + magic) - magic
  }
}

extension Double {
  @inlinable public var float16: Float16 { Float16(self) }
  @inlinable public init(float16: Float16) { self = Double(float16) }

  @inlinable @inline(__always)
  public static func roundedToFloat16(_ lanes: SIMD16<Double>) -> SIMD16<Double> { SIMD16<Double>(SIMD16<Float16>(lanes)) }

  @inlinable @inline(__always)
  public static func bytes(_ lanes: SIMD16<Double>) -> SIMD16<UInt8> {
    let shifted = lanes + 6_755_399_441_055_744  // leaves the integer in the low bits
    var result = SIMD16<UInt8>()
    for lane in 0..<16 { result[lane] = UInt8(truncatingIfNeeded: shifted[lane].bitPattern) }
    return result
  }

  @inlinable @inline(__always)
  public static func limited(_ lanes: SIMD16<Double>, _ low: SIMD16<Double>, _ high: SIMD16<Double>) -> SIMD16<Double> {
    var result = lanes
    result.replace(with: low, where: .!(lanes .>= low))
    result.replace(with: high, where: lanes .> high)
    return result
  }

  @inlinable @inline(__always)
  public static func magnitudes(_ lanes: SIMD16<Double>) -> SIMD16<Double> {
    unsafeBitCast(unsafeBitCast(lanes, to: SIMD16<UInt64>.self) & 0x7FFF_FFFF_FFFF_FFFF, to: SIMD16<Double>.self)
  }

  @inlinable @inline(__always)
  public static func rounded(_ lanes: SIMD16<Double>) -> SIMD16<Double> {
    let magic: Double = 6_755_399_441_055_744  // 1.5·2^52: what is added to it has no bits for a fraction
    return (lanes + magic) - magic
  }
}
