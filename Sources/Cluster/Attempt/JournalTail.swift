import Foundation
import JobModel
import JobStore

/// What an attempt's journal holds beyond what was read before.
package struct JournalTail {
  package private(set) var entries: [TimedEntry] = []
  package private(set) var worker: WorkerIdentity?
  package private(set) var end: AttemptEnd?
  /// Where to read on: behind the last whole line, before the one that tells of the end.
  package private(set) var offset: Int

  /// Read at once.
  private static let part = 4 << 20
  /// Longest line.
  private static let limit = 256 << 20

  /// - Parameter offset: Where the lines begin that weren't read.
  /// - Throws: `AttemptError.damagedJournal`.
  package init(of folder: AttemptFolder, from offset: Int) throws(AttemptError) {
    self.offset = offset
    // Opened each time: on a network file system, this is what makes another machine's writes visible.
    guard let file = try? FileHandle(forReadingFrom: folder.journal), (try? file.seek(toOffset: UInt64(offset))) != nil else { return }
    defer { try? file.close() }
    var bytes = Data()
    repeat {
      guard let more = try? file.read(upToCount: Self.part), !more.isEmpty else { return }
      bytes += more
      guard bytes.count <= Self.limit else {
        throw .damagedJournal(file: folder.journal.path, offset: offset, reason: "a line has more than \(Self.limit) bytes")
      }
    } while !bytes.contains(UInt8(ascii: "\n"))
    for line in bytes.prefix(through: bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex).split(separator: UInt8(ascii: "\n")) {
      do {
        try add(APICoding.decode(JournalLine.self, from: Data(line)), bytes: line.count + 1)
      } catch {
        throw .damagedJournal(file: folder.journal.path, offset: self.offset, reason: "\(error)")
      }
      if end != nil { return }
    }
  }

  private mutating func add(_ line: JournalLine, bytes: Int) throws {
    switch line.content {
    case .started(let worker): self.worker = worker
    case .work(let entry): entries.append(TimedEntry(at: line.at, entry))
    case .ended(let end):
      self.end = end
      return
    }
    offset += bytes
  }
}
