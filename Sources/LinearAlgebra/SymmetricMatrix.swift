/// A symmetric float64 matrix that stores its tiles on and above the diagonal only.
public struct SymmetricMatrix: Sendable {
  /// Rows, and columns.
  public let size: Int
  /// Rows of every tile but those of the last row of tiles.
  private let edge: Int
  /// The tiles of the first row of tiles, those of the second, …; each row-major.
  private var tiles: [Double]
  /// Where each row of tiles begins.
  private let tileRowOffsets: [Int]

  /// A matrix of zeros.
  public init(size: Int) {
    self.size = size
    edge = max(1, (size + tileCount(size) - 1) / tileCount(size))
    var (offsets, end) = ([Int](), 0)
    for start in stride(from: 0, to: size, by: edge) {
      offsets.append(end)
      end += min(edge, size - start) * (size - start)
    }
    tileRowOffsets = offsets
    tiles = [Double](repeating: 0, count: end)
  }

  /// - Parameter matrix: [n, n], its upper triangle read.
  public init(_ matrix: Matrix<Double>) {
    precondition(matrix.rows == matrix.columns)
    self.init(size: matrix.rows)
    withTiles { tiles in
      tiles.forEach { tile in
        for row in tile.rows {
          for column in max(row, tile.columns.lowerBound)..<tile.columns.upperBound {
            let value = matrix[row, column]
            tile.base[(row - tile.rows.lowerBound) * tile.columns.count + column - tile.columns.lowerBound] = value
            guard tile.isDiagonal else { continue }
            tile.base[(column - tile.columns.lowerBound) * tile.columns.count + row - tile.rows.lowerBound] = value
          }
        }
      }
    }
  }

  public subscript(row: Int, column: Int) -> Double {
    let (row, column) = (min(row, column), max(row, column))
    return tiles[offset(row, column)]
  }

  public var diagonal: [Double] { (0..<size).map { self[$0, $0] } }

  // MARK: Tiles

  private func offset(_ row: Int, _ column: Int) -> Int {
    let (tileRow, tileColumn) = (row / edge, column / edge)
    let height = min(edge, size - tileRow * edge)
    let width = min(edge, size - tileColumn * edge)
    let tile = tileRowOffsets[tileRow] + height * (tileColumn - tileRow) * edge
    return tile + (row - tileRow * edge) * width + column - tileColumn * edge
  }

  /// Lends the tiles, those off the diagonal, which are more work, first.
  public mutating func withTiles<Result>(_ body: (SymmetricTiles) throws -> Result) rethrows -> Result {
    let tileCount = tileRowOffsets.count
    let pairs = (0..<tileCount).flatMap { row in (row..<tileCount).map { (row, $0) } }
    let ordered = pairs.filter { $0.0 != $0.1 } + pairs.filter { $0.0 == $0.1 }
    let (size, edge) = (size, edge)
    let offsets = ordered.map { offset($0.0 * edge, $0.1 * edge) }
    return try tiles.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return try body(SymmetricTiles([])) }
      return try body(
        SymmetricTiles(
          zip(ordered, offsets).map { position, offset in
            SymmetricTiles.Tile(
              rows: position.0 * edge..<min(size, (position.0 + 1) * edge),
              columns: position.1 * edge..<min(size, (position.1 + 1) * edge), base: base + offset)
          }))
    }
  }
}

// MARK: - Arithmetic

extension SymmetricMatrix {
  /// Adds XᵀX, multiplied in float32, or in float64 where that overflows.
  ///
  /// - Parameter x: [t, n], finite.
  public mutating func addGram(of x: MatrixView<Float>) {
    precondition(x.columns == size)
    guard x.rows > 0 else { return }
    withTiles { $0.add([x]) }
  }

  /// Adds factor·other.
  ///
  /// - Precondition: Both are of one size.
  public mutating func add(_ other: SymmetricMatrix, times factor: Double) {
    precondition(other.size == size)
    other.tiles.withUnsafeBufferPointer { source in
      tiles.withUnsafeMutableBufferPointer { target in
        for index in target.indices { target[index] += factor * source[index] }
      }
    }
  }

  /// Multiplies every entry.
  public mutating func scale(by factor: Double) {
    withTiles { tiles in
      tiles.forEach { tile in for index in 0..<tile.size { tile.base[index] *= factor } }
    }
  }

  /// The full matrix with entry (i, j) = self[order[i], order[j]].
  ///
  /// - Parameters:
  ///   - order: A permutation of 0..<size.
  ///   - diagonal: Takes the place of this matrix's diagonal, in this matrix's order.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func permuted<Scalar: BLASScalar>(_ order: [Int], diagonal: [Double]) -> Matrix<Scalar> {
    precondition(order.count == size && diagonal.count == size)
    var positions = [Int](repeating: 0, count: size)
    for (position, row) in order.enumerated() { positions[row] = position }
    return Matrix<Scalar>(rows: size, columns: size) { result in
      // Rows that lie in the same cache lines of the tiles above the diagonal are gathered together.
      forEachSlice(of: size, length: 8) { rows in
        withUnsafeTemporaryAllocation(of: Scalar.self, capacity: rows.count * size) { dense in
          guard let dense = dense.baseAddress else { return }
          gather(rows, into: dense)
          for (index, row) in rows.enumerated() {
            let source = dense + index * size
            source[row] = Scalar(diagonal[row])
            let target = result.base + positions[row] * result.rowStride
            for column in 0..<size { target[column] = source[order[column]] }
          }
        }
      }
    }
  }

  /// Rows of tiles below one, split where a tile ends.
  private func partsBelow(_ tileRow: Int, of rows: Range<Int>) -> [Range<Int>] {
    let below = rows.clamped(to: min(size, (tileRow + 1) * edge)..<size)
    guard !below.isEmpty else { return [] }
    return stride(from: below.lowerBound / edge, to: (below.upperBound + edge - 1) / edge, by: 1).map {
      below.clamped(to: $0 * edge..<($0 + 1) * edge)
    }
  }

  /// Some rows of the full matrix, in its own order.
  private func gather<Scalar: BLASScalar>(_ rows: Range<Int>, into dense: UnsafeMutablePointer<Scalar>) {
    tiles.withUnsafeBufferPointer { buffer in
      guard let tiles = buffer.baseAddress else { return }
      for tileColumn in tileRowOffsets.indices {
        let columns = tileColumn * edge..<min(size, (tileColumn + 1) * edge)
        for (index, row) in rows.enumerated() where row / edge <= tileColumn {
          let source = tiles + offset(row, columns.lowerBound)
          let target = dense + index * size
          for column in columns { target[column] = Scalar(source[column - columns.lowerBound]) }
        }
        for part in partsBelow(tileColumn, of: rows) {
          let stride = min(edge, size - part.lowerBound / edge * edge)
          let source = tiles + offset(columns.lowerBound, part.lowerBound)
          for column in columns {
            let values = source + (column - columns.lowerBound) * stride
            for row in part {
              dense[(row - rows.lowerBound) * size + column] = Scalar(values[row - part.lowerBound])
            }
          }
        }
      }
    }
  }
}
