import Checkpoint
import Foundation
import Ranks

/// Hidden states between two blocks on disk, of all ranks or of none: each keeps those of its own sequences, which another number of
/// ranks can't use.
struct SharedHiddenStates {
  typealias Streams = [(name: String, stream: ActivationStream)]

  private let ranks: any RankGroup
  /// This rank's.
  private let folder: URL
  private var file: HiddenStateFile
  /// Blocks that those on disk have passed; nil where this run has kept none.
  private var keptBlocks: Int?

  private static let prefix = "hidden-rank-"

  /// Removes what another number of ranks left, and what was written in part.
  ///
  /// - Parameters:
  ///   - blocks: Folder of finished blocks.
  ///   - reserve: Bytes that have to stay free.
  ///   - interval: Least time between two writes.
  /// - Throws: `CheckpointError`.
  init(besides blocks: URL, ranks: any RankGroup, reserve: Int, interval: Duration) throws {
    self.ranks = ranks
    folder = Self.folder(of: ranks.rank, of: ranks.count, in: blocks)
    if ranks.count > 1 {
      try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .filter { $0.pathExtension == "tmp" }.forEach(FileManager.default.removeItem)
      try DurableFile.makeFolder(folder, permissions: 0o700)
    }
    file = HiddenStateFile(in: folder, reserve: reserve, interval: interval)
    if ranks.rank == 0 { Self.removeAll(in: blocks, butOf: ranks.count) }
  }

  /// One rank alone has none of its own.
  private static func folder(of rank: Int, of count: Int, in blocks: URL) -> URL {
    count == 1 ? blocks : blocks.appending(component: "\(prefix)\(rank)-of-\(count)")
  }

  /// - Parameter count: Number of ranks whose states stay; nil: none stay.
  static func removeAll(in blocks: URL, butOf count: Int?) {
    if count != 1 { HiddenStateFile.removeAll(in: blocks, but: nil) }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: blocks.path)) ?? []
    for name in names where name.hasPrefix(prefix) && count.map({ !name.hasSuffix("-of-\($0)") }) ?? true {
      try? FileManager.default.removeItem(at: blocks.appending(component: name))
    }
  }

  /// Keeps the states that come out of a block, unless that was done a moment ago or a disk has no room; to be called before the block is
  /// written.
  ///
  /// - Parameters:
  ///   - tokens: Of this rank.
  ///   - blocks: Passed.
  mutating func keep(_ streams: Streams, tokens: Int, channels: Int, source: BlockSource, blocks: Int) throws {
    guard try ranks.agreed({ file.isDue }) else { return }
    let isKept = try file.write(streams, tokens: tokens, channels: channels, source: source, blocks: blocks)
    if try ranks.gather(isKept).allSatisfy(\.self) { keptBlocks = blocks } else { file.remove(blocks) }
  }

  /// Removes states that nothing goes on from any more; to be called once the block is written.
  func forgetEarlier() { if let keptBlocks { HiddenStateFile.removeAll(in: folder, but: keptBlocks) } }

  /// Reads the latest states that passed at most `most` blocks; removes those that passed more, which may become others.
  ///
  /// - Parameter samples: In use; the streams have room for this rank's.
  /// - Returns: How many blocks they passed, and of how many sequences of all ranks they are; nil where there are none that can be used.
  func read(
    into streams: Streams, samples: CalibrationSamples, channels: Int, atMost most: Int, source: BlockSource
  ) throws -> (blocks: Int, samples: Int)? {
    file.removeAll(beyond: most)
    let kept = try ranks.gather(HiddenStateFile.kept(in: folder))
    for blocks in kept[0] where kept.allSatisfy({ $0.contains(blocks) }) {
      let tokens = try file.read(blocks, into: streams, room: samples.localRowCount, channels: channels, source: source)
      let counts = try ranks.gather(tokens.map { $0 / samples.length }).compactMap(\.self)
      let count = counts.reduce(0, +)
      let isWhole = counts.indices.allSatisfy { counts[$0] == samples.division.localCount(of: count, rank: $0) }
      if counts.count == ranks.count, isWhole { return (blocks, count) }
    }
    return nil
  }
}
