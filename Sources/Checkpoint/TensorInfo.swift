/// A tensor's name, type and shape.
public struct TensorInfo: Sendable, Hashable {
  public let name: String
  public let type: ScalarType
  public let shape: [Int]

  /// - Precondition: No size is negative and the bytes fit an `Int`.
  public init(name: String, type: ScalarType, shape: [Int]) {
    self.name = name
    self.type = type
    self.shape = shape
  }

  /// 1 for a tensor of no dimensions.
  public var elementCount: Int { shape.reduce(1, *) }
  public var byteCount: Int { elementCount * type.byteCount }

  /// nil where the bytes overflow, or would but for sizes of 0: then also the product of any of the sizes fits.
  static func byteCount(type: ScalarType, shape: [Int]) -> Int? {
    var bytes = type.byteCount
    for size in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow else { return nil }
      bytes = product
    }
    return shape.contains(0) ? 0 : bytes
  }
}
