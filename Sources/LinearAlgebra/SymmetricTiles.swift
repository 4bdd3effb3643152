/// The tiles of a symmetric matrix on and above the diagonal, to which XᵀX is added; X is [tokens, size].
public struct SymmetricTiles: ProductTiles {
  struct Tile {
    let rows: Range<Int>
    let columns: Range<Int>
    /// [rows, columns].
    let base: UnsafeMutablePointer<Double>

    var isDiagonal: Bool { rows == columns }
    var size: Int { rows.count * columns.count }
  }

  private let tiles: [Tile]

  /// - Parameter tiles: In the order of work.
  init(_ tiles: [Tile]) { self.tiles = tiles }

  public var count: Int { tiles.count }
  public func size(of tile: Int) -> Int { tiles[tile].size }

  /// Calls `body` for every tile, several at once.
  func forEach(_ body: (Tile) -> Void) { forEachTask(tiles.count) { body(tiles[$0]) } }

  public func multiply(_ factors: [MatrixView<Float>], tile: Int, into products: UnsafeMutablePointer<Float>) -> Bool {
    let tile = tiles[tile]
    let target = MutableMatrixView(base: products, rows: tile.rows.count, columns: tile.columns.count, rowStride: tile.columns.count)
    for (index, x) in factors.enumerated() {
      let kept: Float = index == 0 ? 0 : 1
      if tile.isDiagonal {
        addGram(of: x[rows: 0..<x.rows, columns: tile.rows], to: target, keeping: kept)
      } else {
        LinearAlgebra.multiply(
          x[rows: 0..<x.rows, columns: tile.rows], .transposed, by: x[rows: 0..<x.rows, columns: tile.columns], into: target, keeping: kept)
      }
    }
    if tile.isDiagonal { mirrorUpper(target) }
    return isFinite(products, count: tile.size)
  }

  public func multiply(_ factors: [MatrixView<Float>], tile: Int, into products: UnsafeMutablePointer<Double>) {
    let tile = tiles[tile]
    let target = MutableMatrixView(base: products, rows: tile.rows.count, columns: tile.columns.count, rowStride: tile.columns.count)
    for (index, x) in factors.enumerated() {
      let left = Matrix<Double>(x[rows: 0..<x.rows, columns: tile.rows])
      let right = Matrix<Double>(x[rows: 0..<x.rows, columns: tile.columns])
      left.withView { left in
        right.withView { LinearAlgebra.multiply(left, .transposed, by: $0, into: target, keeping: index == 0 ? 0 : 1) }
      }
    }
  }

  public func add(_ products: UnsafePointer<Float>, to tile: Int) {
    let tile = tiles[tile]
    for index in 0..<tile.size { tile.base[index] += Double(products[index]) }
  }

  public func add(_ products: UnsafePointer<Double>, to tile: Int) {
    let tile = tiles[tile]
    for index in 0..<tile.size { tile.base[index] += products[index] }
  }

  public func copy(_ tile: Int, to values: UnsafeMutablePointer<Double>) { values.update(from: tiles[tile].base, count: tiles[tile].size) }
  public func set(_ tile: Int, to values: UnsafePointer<Double>) { tiles[tile].base.update(from: values, count: tiles[tile].size) }
}

/// Copies the upper triangle of a square to the lower.
private func mirrorUpper(_ square: MutableMatrixView<Float>) {
  for row in 0..<square.rows {
    for column in row + 1..<max(row + 1, square.columns) { square[column, row] = square[row, column] }
  }
}

private func isFinite(_ values: UnsafePointer<Float>, count: Int) -> Bool {
  var largest: UInt32 = 0
  for index in 0..<count { largest = max(largest, values[index].bitPattern & 0x7FFF_FFFF) }
  return largest < Float.infinity.bitPattern
}
