import LinearAlgebra
import Ranks

/// Adds up products of what all ranks have, so that the sums have the bits that one rank would give them.
///
/// Each rank multiplies its own granule's values in float32, tile by tile. Each tile belongs to one rank, which gets the others' products
/// and adds all of them in the order of granules. With one rank nothing is exchanged.
final class SharedSums {
  let ranks: any RankGroup
  /// Products, or sums, of tiles.
  private let own = ExchangeBuffer()
  /// The same from the other ranks.
  private let others = ExchangeBuffer()

  /// Bytes of tiles that are exchanged at once: enough for every core of many.
  static let bytesAtOnce = 256 << 20

  init(_ ranks: any RankGroup) { self.ranks = ranks }

  /// Adds a step's products.
  ///
  /// - Parameters:
  ///   - factors: Of this rank's granule; empty where it has none.
  ///   - contributing: Which ranks have one.
  /// - Throws: `RankError`.
  func add<Tiles: ProductTiles>(_ factors: [Tiles.Factors], to tiles: Tiles, contributing: [Bool]) throws {
    guard ranks.count > 1 else {
      if !factors.isEmpty { tiles.add(factors) }
      return
    }
    for bunch in TileBunch.all(of: tiles, valueBytes: MemoryLayout<Float>.stride, most: Self.bytesAtOnce, ranks: ranks.count) {
      try add(factors, to: tiles, bunch, contributing)
    }
  }

  private func add<Tiles: ProductTiles>(
    _ factors: [Tiles.Factors], to tiles: Tiles, _ bunch: TileBunch, _ contributing: [Bool]
  ) throws {
    let products = own.lend(bunch.values, as: Float.self)
    let overflows = try ranks.allGather(
      multiply(factors, tiles, bunch, into: products), sizes: contributing.map { _ in bunch.tiles.count })
    let incoming = bunch.values(of: ranks.rank)
    let received = others.lend(ranks.count * incoming.count, as: Float.self)
    try ranks.exchange(
      (0..<ranks.count).map { rank in
        let segment = bunch.values(of: contributing[ranks.rank] ? rank : nil)
        return UnsafeRawBufferPointer(UnsafeBufferPointer(start: products + segment.lowerBound, count: segment.count))
      },
      into: (0..<ranks.count).map { rank in
        UnsafeMutableRawBufferPointer(
          UnsafeMutableBufferPointer(start: received + rank * incoming.count, count: contributing[rank] ? incoming.count : 0))
      })
    let wide = try exchangeOverflowed(factors, tiles, bunch, overflows)
    let tilesHere = bunch.tiles(of: ranks.rank)
    forEachTask(tilesHere.count) { index in
      let tile = tilesHere[index]
      for rank in contributing.indices where contributing[rank] {
        if let values = wide[rank][tile.number] {
          values.withUnsafeBufferPointer { tiles.add($0.baseAddress.unsafelyUnwrapped, to: tile.number) }
        } else {
          let here = rank == ranks.rank ? products + tile.offset : received + rank * incoming.count + tile.offset - incoming.lowerBound
          tiles.add(UnsafePointer(here), to: tile.number)
        }
      }
    }
  }

  /// - Returns: A byte for each tile of the bunch: 1 where it is beyond float32.
  private func multiply<Tiles: ProductTiles>(
    _ factors: [Tiles.Factors], _ tiles: Tiles, _ bunch: TileBunch, into products: UnsafeMutablePointer<Float>
  ) -> [UInt8] {
    var overflows = [UInt8](repeating: 0, count: bunch.tiles.count)
    guard !factors.isEmpty else { return overflows }
    overflows.withUnsafeMutableBufferPointer { overflows in
      nonisolated(unsafe) let overflows = overflows  // reason: each task writes its own element
      forEachTask(bunch.tiles.count) { index in
        let tile = bunch.tiles[index]
        overflows[index] = tiles.multiply(factors, tile: tile.number, into: products + tile.offset) ? 0 : 1
      }
    }
    return overflows
  }

  /// What is beyond float32, in float64.
  ///
  /// - Parameter overflows: Of each rank.
  /// - Returns: Of each rank, the tiles that are this one's to add, by their number.
  private func exchangeOverflowed<Tiles: ProductTiles>(
    _ factors: [Tiles.Factors], _ tiles: Tiles, _ bunch: TileBunch, _ overflows: [[UInt8]]
  ) throws -> [[Int: [Double]]] {
    var result = [[Int: [Double]]](repeating: [:], count: ranks.count)
    for (index, tile) in bunch.tiles.enumerated() {
      let from = overflows.indices.filter { overflows[$0][index] == 1 }
      guard !from.isEmpty else { continue }
      var values = [Double](repeating: 0, count: tile.size)
      if from.contains(ranks.rank) {
        values.withUnsafeMutableBufferPointer { tiles.multiply(factors, tile: tile.number, into: $0.baseAddress.unsafelyUnwrapped) }
      }
      // Rare, so all ranks get what only the tile's owner needs.
      let all = try ranks.allGather(from.contains(ranks.rank) ? values.withUnsafeBytes { [UInt8]($0) } : [])
      for rank in from where tile.owner == ranks.rank {
        result[rank][tile.number] = all[rank].withUnsafeBytes { [Double]($0.bindMemory(to: Double.self)) }
      }
    }
    return result
  }

  /// Gives every rank the tiles that the others added up.
  ///
  /// - Throws: `RankError`.
  func complete<Tiles: ProductTiles>(_ tiles: Tiles) throws {
    guard ranks.count > 1 else { return }
    let width = MemoryLayout<Tiles.Scalar>.stride
    for bunch in TileBunch.all(of: tiles, valueBytes: width, most: Self.bytesAtOnce, ranks: ranks.count) {
      let values = own.lend(bunch.values, as: Tiles.Scalar.self)
      let tilesHere = bunch.tiles(of: ranks.rank)
      forEachTask(tilesHere.count) { tiles.copy(tilesHere[$0].number, to: values + tilesHere[$0].offset) }
      let segments = (0..<ranks.count).map { rank in
        UnsafeMutableBufferPointer(rebasing: UnsafeMutableBufferPointer(start: values, count: bunch.values)[bunch.values(of: rank)])
      }
      try ranks.exchange(
        segments.map { _ in UnsafeRawBufferPointer(segments[ranks.rank]) }, into: segments.map { UnsafeMutableRawBufferPointer($0) })
      forEachTask(bunch.tiles.count) { index in
        let tile = bunch.tiles[index]
        if tile.owner != ranks.rank { tiles.set(tile.number, to: values + tile.offset) }
      }
    }
  }
}

/// Tiles that are exchanged at once, those of one owner beside each other.
private struct TileBunch {
  struct Tile {
    let number: Int
    let size: Int
    /// Rank that adds it up.
    let owner: Int
    /// Of its values among the bunch's.
    var offset = 0
  }

  let tiles: [Tile]
  /// How many values all tiles have.
  let values: Int
  /// Where each owner's values begin, and where the last one's end.
  private let starts: [Int]

  private init(_ numbers: Range<Int>, of product: some ProductTiles, ranks: Int) {
    var (tiles, starts, end) = ([Tile](), [Int](), 0)
    for owner in 0..<ranks {
      starts.append(end)
      for number in numbers where number % ranks == owner {
        tiles.append(Tile(number: number, size: product.size(of: number), owner: owner, offset: end))
        end += product.size(of: number)
      }
    }
    // In the order of work.
    self.tiles = tiles.sorted { $0.number < $1.number }
    self.starts = starts + [end]
    values = end
  }

  static func all(of product: some ProductTiles, valueBytes: Int, most: Int, ranks: Int) -> [TileBunch] {
    var (bunches, start, bytes) = ([TileBunch](), 0, 0)
    for number in 0..<product.count {
      let size = product.size(of: number) * valueBytes
      if bytes + size > most, start < number {
        bunches.append(TileBunch(start..<number, of: product, ranks: ranks))
        (start, bytes) = (number, 0)
      }
      bytes += size
    }
    return start < product.count ? bunches + [TileBunch(start..<product.count, of: product, ranks: ranks)] : bunches
  }

  func tiles(of owner: Int) -> [Tile] { tiles.filter { $0.owner == owner } }

  /// - Parameter owner: nil: nobody's.
  func values(of owner: Int?) -> Range<Int> { owner.map { starts[$0]..<starts[$0 + 1] } ?? 0..<0 }
}

/// Memory that is kept from one exchange to the next.
private final class ExchangeBuffer {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  deinit { memory.deallocate() }

  /// - Returns: Memory for so many values, undefined until they are written, valid until the next call.
  func lend<Value>(_ count: Int, as type: Value.Type) -> UnsafeMutablePointer<Value> {
    let bytes = max(1, count * MemoryLayout<Value>.stride)
    if memory.count < bytes {
      memory.deallocate()
      memory = .allocate(byteCount: bytes, alignment: 64)
    }
    return memory.baseAddress.unsafelyUnwrapped.bindMemory(to: type, capacity: max(1, count))
  }
}
