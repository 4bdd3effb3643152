import LinearAlgebra

/// Lanes that elementwise kernels handle at once.
typealias FloatLanes = SIMD16<Float>

extension FloatLanes {
  static let laneCount = 16

  /// e^x within 2 units in the last place for −87 ≤ x ≤ 88; less gives e^−87, about 0.
  ///
  /// Cephes' `expf`: x = n·ln 2 + r with |r| ≤ ln 2 / 2, a polynomial for e^r, n added to the exponent.
  @inline(__always)
  static func exponential(_ x: FloatLanes) -> FloatLanes {
    let x = Float.limited(x, FloatLanes(repeating: -87), FloatLanes(repeating: 88))
    let magic: Float = 12_582_912  // 1.5·2^23: adding it leaves the rounded integer in the low bits
    let shifted = FloatLanes(repeating: magic).addingProduct(x, FloatLanes(repeating: 1.442_695_04))
    let n = shifted - magic
    let r = x.addingProduct(n, FloatLanes(repeating: -0.693_359_375)).addingProduct(n, FloatLanes(repeating: 2.121_944_4e-4))
    var p = FloatLanes(repeating: 1.987_569_15e-4)
    for coefficient: Float in [1.398_199_95e-3, 8.333_451_91e-3, 4.166_579_58e-2, 1.666_666_55e-1, 5.000_000_12e-1] {
      p = FloatLanes(repeating: coefficient).addingProduct(p, r)
    }
    let series = (r + 1).addingProduct(p, r * r)
    let exponent = (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- Int32(bitPattern: magic.bitPattern)) &<< 23
    return unsafeBitCast(unsafeBitCast(series, to: SIMD16<Int32>.self) &+ exponent, to: FloatLanes.self)
  }
}

/// Runs `body` over a row of `count` values, 16 at a time; the last, incomplete lanes are padded.
@inline(__always)
func forEachLanes(_ count: Int, _ body: (_ offset: Int, _ valid: Int) -> Void) {
  var offset = 0
  while offset + FloatLanes.laneCount <= count {
    body(offset, FloatLanes.laneCount)
    offset += FloatLanes.laneCount
  }
  if offset < count { body(offset, count - offset) }
}

extension UnsafePointer<Float> {
  /// `valid` values from here on, the rest `padding`.
  @inline(__always)
  func lanes(_ valid: Int, padding: Float = 0) -> FloatLanes {
    if valid == FloatLanes.laneCount { return UnsafeRawPointer(self).loadUnaligned(as: FloatLanes.self) }
    var lanes = FloatLanes(repeating: padding)
    for lane in 0..<valid { lanes[lane] = self[lane] }
    return lanes
  }
}

extension UnsafeMutablePointer<Float> {
  @inline(__always)
  func lanes(_ valid: Int, padding: Float = 0) -> FloatLanes { UnsafePointer(self).lanes(valid, padding: padding) }

  @inline(__always)
  func store(_ lanes: FloatLanes, _ valid: Int) {
    if valid == FloatLanes.laneCount { return UnsafeMutableRawPointer(self).storeBytes(of: lanes, as: FloatLanes.self) }
    for lane in 0..<valid { self[lane] = lanes[lane] }
  }
}
