import Checkpoint
import Crypto
import Foundation
import Transformer

/// Hidden states between two blocks on disk, so that a job that is taken up again goes on with them instead of computing them anew.
///
/// They are kept as often as it costs little beside the work between, and only where the disk has room to spare: what isn't there is
/// computed again, to the same bits.
struct HiddenStateFile {
  private let folder: URL
  /// Bytes that have to stay free.
  private let reserve: Int
  /// Least time between two writes; zero: after each block, whatever it costs.
  private let interval: Duration
  private var lastWrite = ContinuousClock.now
  private var lastCost = Duration.zero

  /// Part of the time that writing may take.
  private static let timeShare = 0.03

  init(in folder: URL, reserve: Int, interval: Duration) {
    self.folder = folder
    self.reserve = reserve
    self.interval = interval
  }

  private static let (prefix, suffix) = ("hidden-", ".safetensors")

  private func file(_ blocks: Int) -> URL { Self.file(blocks, in: folder) }

  private static func file(_ blocks: Int, in folder: URL) -> URL { folder.appending(component: "\(prefix)\(blocks)\(suffix)") }

  /// How many blocks those on disk have passed, falling.
  static func kept(in folder: URL) -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
      .compactMap { Int($0.dropFirst(prefix.count).dropLast(suffix.count)) }.sorted(by: >)
  }

  /// Keeping states costs little now.
  var isDue: Bool { interval == .zero || .now - lastWrite >= max(interval, lastCost / Self.timeShare) }

  /// Keeps the states that come out of a block, unless the disk has no room. Those of earlier blocks go with `removeAll(in:but:)`, once
  /// the block itself is on disk.
  ///
  /// - Parameter blocks: Passed.
  /// - Returns: Whether they were kept.
  mutating func write(
    _ streams: [(name: String, stream: ActivationStream)], tokens: Int, channels: Int, source: BlockSource, blocks: Int
  ) throws -> Bool {
    let start = ContinuousClock.now
    let infos = streams.map { TensorInfo(name: $0.name, type: .float32, shape: [tokens, channels]) }
    let bytes = infos.reduce(0) { $0 + $1.byteCount }
    let free = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)[.systemFreeSize] as? Int
    guard let free, free - bytes > reserve else { return false }
    let temporary = file(blocks).appendingPathExtension("tmp")
    do {
      var writer = try SafetensorsWriter(
        temporary, tensors: infos + [Self.digestInfo],
        metadata: [Self.sourceKey: String(decoding: try Self.encoder.encode(source), as: UTF8.self)])
      var hash = SHA256()
      for (name, stream) in streams {
        for rows in Self.parts(of: 0..<tokens) {
          try stream.withHiddenBytes(rows) { bytes in
            hash.update(bufferPointer: bytes)
            try writer.write(bytes, of: name)
          }
        }
      }
      try Array(hash.finalize()).withUnsafeBytes { try writer.write($0, of: Self.digestInfo.name) }
      try writer.finish()
      try DurableFile.move(temporary, to: file(blocks))
    } catch let error as CheckpointError {
      unlink(temporary.path)
      // The disk filled up meanwhile, or has a fault: what is spared is no reason to stop.
      switch error {
      case .diskFull, .cannotWrite, .tooManyOpenFiles: return false
      default: throw error
      }
    }
    (lastWrite, lastCost) = (.now, .now - start)
    return true
  }

  /// Reads states that passed some blocks.
  ///
  /// - Parameter room: Tokens that the streams have room for.
  /// - Returns: Of how many tokens they are; nil where they can't be used.
  func read(
    _ blocks: Int, into streams: [(name: String, stream: ActivationStream)], room: Int, channels: Int, source: BlockSource
  ) throws -> Int? {
    guard let file = try? SafetensorsFile(file(blocks)),
      file.metadata[Self.sourceKey] == String(decoding: try Self.encoder.encode(source), as: UTF8.self),
      let tokens = file.tensors.first?.shape.first, tokens <= room,
      file.tensors.map(\.name) == streams.map(\.name) + [Self.digestInfo.name],
      file.tensors.dropLast().allSatisfy({ $0.type == .float32 && $0.shape == [tokens, channels] })
    else { return nil }
    var hash = SHA256()
    for (name, stream) in streams {
      try file.withBytes(of: name) { bytes in
        for rows in Self.parts(of: 0..<tokens) {
          let width = channels * MemoryLayout<Float>.stride
          let part = UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * width..<rows.upperBound * width])
          hash.update(bufferPointer: part)
          stream.setHidden(rows, to: part)
        }
      }
      file.releaseCachedPages(of: name)
    }
    let digest = hash.finalize()
    return try file.withBytes(of: Self.digestInfo.name, { $0.elementsEqual(digest) }) ? tokens : nil
  }

  /// - Parameter blocks: Passed by the states that stay; nil: none stay.
  static func removeAll(in folder: URL, but blocks: Int?) {
    for passed in kept(in: folder) where passed != blocks { unlink(file(passed, in: folder).path) }
  }

  /// Removes states that come out of blocks which aren't finished: these may become others.
  func removeAll(beyond blocks: Int) {
    for passed in Self.kept(in: folder) where passed > blocks { remove(passed) }
  }

  func remove(_ blocks: Int) { unlink(file(blocks).path) }

  private static let sourceKey = "gptqd.source"
  private static let digestInfo = TensorInfo(name: "sha256", type: .uint8, shape: [32])

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return encoder
  }

  /// A few thousand tokens each, so that no more of a spool on disk is resident.
  private static func parts(of rows: Range<Int>) -> [Range<Int>] {
    stride(from: rows.lowerBound, to: rows.upperBound, by: 4096).map { $0..<min(rows.upperBound, $0 + 4096) }
  }
}
