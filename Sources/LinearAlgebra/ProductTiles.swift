/// A sum of products of matrices, cut by its size alone into tiles that several threads or processes add to, each to its own.
///
/// What adds to a sum at a time are windows of some tokens' values, as `Factors`. Their products are taken in float32 and added as they
/// are, so that a tile's bits depend on the order of additions only. Valid only inside the closure that got it.
public protocol ProductTiles {
  associatedtype Factors
  /// Of the sum.
  associatedtype Scalar: BLASScalar

  /// How many; those that are more work come first.
  var count: Int { get }
  /// Values of a tile.
  func size(of tile: Int) -> Int

  /// One tile's product of all factors, on the calling thread.
  ///
  /// - Parameter products: Memory for the tile's values.
  /// - Returns: false where a value is beyond float32; it is to be multiplied in float64 then.
  func multiply(_ factors: [Factors], tile: Int, into products: UnsafeMutablePointer<Float>) -> Bool
  func multiply(_ factors: [Factors], tile: Int, into products: UnsafeMutablePointer<Double>)
  func add(_ products: UnsafePointer<Float>, to tile: Int)
  func add(_ products: UnsafePointer<Double>, to tile: Int)

  /// Copies a tile of the sum to memory for its values.
  func copy(_ tile: Int, to values: UnsafeMutablePointer<Scalar>)
  /// Sets a tile of the sum.
  func set(_ tile: Int, to values: UnsafePointer<Scalar>)
}

extension ProductTiles {
  /// Adds the product of all factors, on all cores.
  public func add(_ factors: [Factors]) {
    forEachTask(count) { tile in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size(of: tile)) { products in
        guard let products = products.baseAddress else { return }
        if multiply(factors, tile: tile, into: products) { return add(products, to: tile) }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: size(of: tile)) { products in
          guard let products = products.baseAddress else { return }
          multiply(factors, tile: tile, into: products)
          add(UnsafePointer(products), to: tile)
        }
      }
    }
  }
}
