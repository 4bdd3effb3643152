import LinearAlgebra

/// The grid of one row of one group: code c stands for (c − zero)·scale.
struct Grid: Sendable, Hashable {
  /// Rounded to float16, as it is stored.
  var scale: Float16
  var zero: UInt8

  /// A grid that spans the weights from min to max (NUMERICS section 3).
  ///
  /// - Parameters:
  ///   - low: At most 0.
  ///   - high: At least 0.
  /// - Returns: nil where the scale is beyond float16.
  init?<Scalar: BLASScalar>(spanning low: Scalar, _ high: Scalar, options: QuantizationOptions) {
    var (low, high) = (low, high)
    let levels = Scalar(options.maximumCode)
    if options.isSymmetric {
      high = max(high, -low)
      low = -high
    }
    if low == 0, high == 0 { (low, high) = (-1, 1) }
    // Format v1 can't store a zero point of 0, so a grid without negative weights starts at code 1.
    let lacksZero = !options.isSymmetric && low == 0 && options.format == .v1
    guard let scale = Self.storable(lacksZero ? high / (levels - 1) : (high - low) / levels) else { return nil }
    self.scale = scale
    if options.isSymmetric {
      zero = UInt8(1 << (options.bits - 1))
    } else {
      let lowest: Scalar = options.format == .v1 ? 1 : 0
      zero = UInt8(min(max((-low / Scalar(float16: scale)).rounded(.toNearestOrEven), lowest), levels))
    }
  }

  /// The step as float16; never 0, nil beyond float16's range.
  private static func storable<Scalar: BLASScalar>(_ step: Scalar) -> Float16? {
    let scale = max(step.float16, Float16.leastNonzeroMagnitude)
    return scale.isFinite ? scale : nil
  }

  /// The nearest code; ties to even.
  func code<Scalar: BLASScalar>(_ value: Scalar, maximum: Int) -> UInt8 {
    let code = (value / Scalar(float16: scale)).rounded(.toNearestOrEven) + Scalar(zero)
    return UInt8(min(max(code, 0), Scalar(maximum)))
  }

  func value<Scalar: BLASScalar>(_ code: UInt8) -> Scalar { (Scalar(code) - Scalar(zero)) * Scalar(float16: scale) }
}
