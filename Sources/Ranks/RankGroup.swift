import Foundation

/// The processes, "ranks", that do one job together.
///
/// All ranks run the same code: each calls the same functions of its group in the same order, from one thread at a time. A call returns
/// when all that it needs of the other ranks has come.
public protocol RankGroup: Sendable {
  /// This one's number, from 0.
  var rank: Int { get }
  /// How many there are.
  var count: Int { get }

  /// Gives every other rank its part, and gets theirs.
  ///
  /// - Parameters:
  ///   - sent: One part for each rank, perhaps empty; this rank's own isn't looked at.
  ///   - received: Memory for what each rank sends here, of exactly that size; this rank's own stays as it is.
  /// - Throws: `RankError`.
  func exchange(_ sent: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) throws

  /// Tells the other ranks that this one takes part in nothing any more: their calls throw `RankError.abandoned`.
  func abandon(_ reason: String)
}

extension RankGroup {
  /// What each rank gave, in the order of ranks.
  ///
  /// - Throws: `RankError`.
  public func allGather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    guard count > 1 else { return [bytes] }
    return try allGather(bytes, sizes: gatherSizes(bytes.count))
  }

  /// What each rank gave, in the order of ranks.
  ///
  /// - Parameter sizes: Bytes of each rank.
  /// - Throws: `RankError`.
  public func allGather(_ bytes: [UInt8], sizes: [Int]) throws -> [[UInt8]] {
    var parts = sizes.map { [UInt8](repeating: 0, count: $0) }
    parts[rank] = bytes
    try bytes.withUnsafeBytes { sent in
      try withBuffers(of: &parts) { try exchange([UnsafeRawBufferPointer](repeating: sent, count: count), into: $0) }
    }
    return parts
  }

  private func gatherSizes(_ size: Int) throws -> [Int] {
    var sizes = [Int](repeating: size, count: count)
    try withUnsafeBytes(of: size) { sent in
      try sizes.withUnsafeMutableBytes { sizes in
        let width = MemoryLayout<Int>.stride
        try exchange(
          [UnsafeRawBufferPointer](repeating: sent, count: count),
          into: (0..<count).map { UnsafeMutableRawBufferPointer(rebasing: sizes[$0 * width..<($0 + 1) * width]) })
      }
    }
    return sizes
  }

  /// Lends the memory of all parts.
  private func withBuffers<Result>(
    of parts: inout [[UInt8]], _ buffers: [UnsafeMutableRawBufferPointer] = [],
    _ body: ([UnsafeMutableRawBufferPointer]) throws -> Result
  ) rethrows -> Result {
    guard buffers.count < parts.count else { return try body(buffers) }
    var part: [UInt8] = []
    let index = buffers.count
    swap(&part, &parts[index])
    defer { swap(&part, &parts[index]) }
    return try part.withUnsafeMutableBytes { try withBuffers(of: &parts, buffers + [$0], body) }
  }

  /// What each rank gave, in the order of ranks.
  ///
  /// - Throws: `RankError`; `EncodingError` for numbers that aren't finite.
  public func gather<Value: Codable>(_ value: Value) throws -> [Value] {
    guard count > 1 else { return [value] }
    // An array, since not every decoder takes a bare number.
    return try allGather(Array(JSONEncoder().encode([value]))).flatMap { try JSONDecoder().decode([Value].self, from: Data($0)) }
  }

  /// What rank 0 says, which alone is asked.
  ///
  /// - Throws: `RankError`; what `value` throws, on rank 0.
  public func agreed<Value: Codable>(_ value: () throws -> Value) throws -> Value {
    guard count > 1 else { return try value() }
    guard let said = try gather(rank == 0 ? [value()] : []).first?.first else { throw RankError.disagreement }
    return said
  }

  /// Returns when all ranks have called it.
  ///
  /// - Throws: `RankError`.
  public func meet() throws { _ = try allGather([]) }

  /// Runs this rank's part of something that all take part in; if it fails, the others' parts do too.
  public func together<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      abandon("\(error)")
      throw error
    }
  }
}

/// A process that does a job alone.
public struct SoloRank: RankGroup {
  public init() {}

  public var rank: Int { 0 }
  public var count: Int { 1 }
  public func exchange(_ sent: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) {}
  public func abandon(_ reason: String) {}
}
