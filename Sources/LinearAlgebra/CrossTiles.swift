/// The tiles of a matrix [m, n] to which AᵀB is added; A is [tokens, m], B [tokens, n].
///
/// What is beyond float32 becomes infinite.
public struct CrossTiles: ProductTiles {
  public typealias Factors = (left: MatrixView<Float>, right: MatrixView<Float>)

  private let sum: MutableMatrixView<Float>
  private let (down, across): (Int, Int)

  init(_ sum: MutableMatrixView<Float>) {
    self.sum = sum
    (down, across) = (tileCount(sum.rows), tileCount(sum.columns))
  }

  public var count: Int { down * across }
  public func size(of tile: Int) -> Int { rows(tile).count * columns(tile).count }

  private func rows(_ tile: Int) -> Range<Int> { sum.rows * (tile / across) / down..<sum.rows * (tile / across + 1) / down }
  private func columns(_ tile: Int) -> Range<Int> { sum.columns * (tile % across) / across..<sum.columns * (tile % across + 1) / across }

  public func multiply(_ factors: [Factors], tile: Int, into products: UnsafeMutablePointer<Float>) -> Bool {
    let (rows, columns) = (rows(tile), columns(tile))
    let target = MutableMatrixView(base: products, rows: rows.count, columns: columns.count, rowStride: columns.count)
    for (index, (left, right)) in factors.enumerated() {
      LinearAlgebra.multiply(
        left[rows: 0..<left.rows, columns: rows], .transposed, by: right[rows: 0..<right.rows, columns: columns], into: target,
        keeping: index == 0 ? 0 : 1)
    }
    return true
  }

  public func multiply(_ factors: [Factors], tile: Int, into products: UnsafeMutablePointer<Double>) {
    preconditionFailure("products are taken in float32 only")
  }

  public func add(_ products: UnsafePointer<Float>, to tile: Int) {
    forEachRow(of: tile) { row, offset, count in for column in 0..<count { row[column] += products[offset + column] } }
  }

  public func add(_ products: UnsafePointer<Double>, to tile: Int) { preconditionFailure("products are taken in float32 only") }

  public func copy(_ tile: Int, to values: UnsafeMutablePointer<Float>) {
    forEachRow(of: tile) { row, offset, count in (values + offset).update(from: row, count: count) }
  }

  public func set(_ tile: Int, to values: UnsafePointer<Float>) {
    forEachRow(of: tile) { row, offset, count in row.update(from: values + offset, count: count) }
  }

  /// - Parameter body: Gets each row's part of the tile, and where that is among the tile's values.
  @inline(__always)
  private func forEachRow(of tile: Int, _ body: (_ row: UnsafeMutablePointer<Float>, _ offset: Int, _ count: Int) -> Void) {
    let (rows, columns) = (rows(tile), columns(tile))
    for (index, row) in rows.enumerated() {
      body(sum.base + row * sum.rowStride + columns.lowerBound, index * columns.count, columns.count)
    }
  }
}

extension Matrix where Scalar == Float {
  /// Lends this matrix as a sum of products.
  public mutating func withCrossTiles<Result>(_ body: (CrossTiles) throws -> Result) rethrows -> Result {
    try withMutableView { try body(CrossTiles($0)) }
  }
}
