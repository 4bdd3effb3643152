import Cluster
import Foundation
import JobModel
import JobStore
import Testing

@Suite struct JournalTailTests {
  private func line(_ content: JournalLine.Content) throws -> String {
    String(decoding: try APICoding.encode(JournalLine(at: Date(), content: content)), as: UTF8.self) + "\n"
  }

  @Test("What a worker writes is read back, each line once")
  func readsOn() throws {
    try TemporaryFolder.use { folder in
      let attempt = AttemptFolder(folder)
      let specification = Samples.specification()
      let journal = try AttemptJournal(specification, in: attempt)
      let worker = WorkerIdentity(host: "n1", process: 7, schedulerJob: "42", ranks: 1)
      try journal.write(.started(worker))
      try journal.stage(.quantizing)
      let first = try JournalTail(of: attempt, from: 0)
      #expect(first.worker == worker && first.entries.map(\.entry) == [.stage(.quantizing)] && first.end == nil)
      try journal.warning("w")
      try journal.write(.ended(.outcome(.failed(.init(code: "c", detail: "d")))))
      let second = try JournalTail(of: attempt, from: first.offset)
      #expect(second.entries.map(\.entry) == [.warning("w")] && second.end == .outcome(.failed(.init(code: "c", detail: "d"))))
      // A daemon that was killed before it stored the end reads it again.
      let third = try JournalTail(of: attempt, from: second.offset)
      #expect(third.entries.isEmpty && third.end == second.end && third.offset == second.offset)
    }
  }

  @Test("All that a job can tell comes through unchanged")
  func everyEntry() throws {
    try TemporaryFolder.use { folder in
      let journal = try AttemptJournal(Samples.specification(), in: AttemptFolder(folder))
      for entry in Samples.entries { try journal.record(entry) }
      for end in Samples.ends { try journal.write(.ended(end)) }
      var offset = 0
      let tail = try JournalTail(of: AttemptFolder(folder), from: offset)
      offset = tail.offset
      #expect(tail.entries.map(\.entry) == Samples.entries)
      #expect(tail.end == Samples.ends.first)
    }
  }

  @Test("A line that is still being written waits for its end", arguments: [0, 1, 20])
  func tornLine(cut: Int) throws {
    try TemporaryFolder.use { folder in
      let attempt = AttemptFolder(folder)
      let (whole, torn) = (try line(.work(.stage(.preparing))), try line(.work(.warning("é"))))
      let bytes = Array(whole.utf8) + Array(torn.utf8).prefix(torn.utf8.count - 1 - cut)
      try Data(bytes).write(to: attempt.journal)
      let tail = try JournalTail(of: attempt, from: 0)
      #expect(tail.entries.count == 1 && tail.offset == whole.utf8.count)
      try Data((whole + torn).utf8).write(to: attempt.journal)
      #expect(try JournalTail(of: attempt, from: tail.offset).entries.map(\.entry) == [.warning("é")])
    }
  }

  @Test(
    "A line that nobody wrote so is named by its place",
    arguments: ["{}", "null", "[1]", "{\"at\":1}", "\u{0}\u{0}", "{\"at\":\"2026\"", "ÿ"])
  func damaged(text: String) throws {
    try TemporaryFolder.use { folder in
      let attempt = AttemptFolder(folder)
      let whole = try line(.work(.stage(.preparing)))
      try Data((whole + text + "\n").utf8).write(to: attempt.journal)
      let error = #expect(throws: AttemptError.self) { try JournalTail(of: attempt, from: 0) }
      #expect("\(error.map { "\($0)" } ?? "")".contains("from byte \(whole.utf8.count) on"))
    }
  }

  @Test("No journal is an empty one")
  func absent() throws {
    try TemporaryFolder.use { folder in
      let tail = try JournalTail(of: AttemptFolder(folder), from: 0)
      #expect(tail.entries.isEmpty && tail.end == nil && tail.offset == 0)
    }
  }

  @Test("A long line, as of a model with many layers, is read whole")
  func longLine() throws {
    try TemporaryFolder.use { folder in
      let attempt = AttemptFolder(folder)
      let layers = (0..<60_000).map {
        LayerRecord(name: "model.layers.\($0).mlp.experts.\($0).down_proj", position: $0, block: $0, shape: [1, 2])
      }
      let text = try line(.work(.begin(layers: layers, finished: 0)))
      #expect(text.utf8.count > 5 << 20)
      try Data((text + (try line(.work(.stage(.quantizing))))).utf8).write(to: attempt.journal)
      let first = try JournalTail(of: attempt, from: 0)
      let rest = try JournalTail(of: attempt, from: first.offset)
      #expect((first.entries + rest.entries).map(\.entry) == [.begin(layers: layers, finished: 0), .stage(.quantizing)])
    }
  }
}
