import Foundation
import JobModel
import JobStore
import Testing

@Suite struct JobJournalTests {
  private let store: TestStore

  init() throws { store = try TestStore() }

  /// The journal is for the worker's thread, which may block.
  private func journal(_ body: @escaping @Sendable (JobJournal) throws -> Void) async throws -> JobID {
    let job = try await store.submit()
    _ = try await store.repository.claimNext(now: TestStore.now)
    let journal = JobJournal(store.repository, job: job.id, attempt: 1)
    try await Task.detached { try body(journal) }.value
    return job.id
  }

  @Test("Layers, attempts, stage, warnings and progress are stored, and told in events in their order")
  func stores() async throws {
    let id = try await journal { journal in
      try journal.stage(.quantizing)
      try journal.attempt(TestStore.attempt("a", 1))
      try journal.attempt(TestStore.attempt("a", 2))
      try journal.layer(LayerRecord(name: "a", position: 0, block: 0, state: .done, shape: [8, 8], damping: 0.02, attempts: 2))
      try journal.warning("careful")
      try journal.progress(.init(layer: "b", done: 1, total: 2, fraction: 0.5, etaSeconds: 3))
    }
    let job = try #require(try await store.repository.job(id))
    #expect(job.stage == .quantizing)
    #expect(job.warnings == ["careful"])
    #expect(job.progress?.fraction == 0.5)
    #expect(try await store.repository.layer("a", of: id)?.damping == 0.02)
    #expect(try await store.repository.attempts(of: id, layer: "a") == [TestStore.attempt("a", 1), TestStore.attempt("a", 2)])
    #expect(try await store.repository.attempts(of: id, layer: "b").isEmpty)
    let events = try await store.repository.events(of: id, after: 0, limit: 100)
    #expect(events.map(\.kind) == [.status, .status, .stage, .attempt, .attempt, .layer, .warning])
    #expect(events.map(\.sequence) == events.map(\.sequence).sorted())
    #expect(events[5].data["relative_loss"] == nil && events[5].data["damping"]?.doubleValue == 0.02)
    let rest = try await store.repository.events(of: id, after: events[4].sequence, limit: 1)
    #expect(rest.map(\.kind) == [.layer])
  }

  @Test("A new start replaces the layers and keeps the attempts")
  func restarts() async throws {
    let id = try await journal { journal in
      try journal.attempt(TestStore.attempt("a", 1))
      try journal.begin(layers: [LayerRecord(name: "c", position: 0, block: 0, shape: [4, 4])])
    }
    #expect(try await store.repository.layers(of: id).map(\.name) == ["c"])
    #expect(try await store.repository.attempts(of: id, layer: nil).map(\.layer) == ["a"])
    #expect(try await store.repository.job(id)?.progress?.total == 1)
  }

  @Test("A start that goes on keeps the layers that are finished, and counts them as progress", arguments: [0, 1, 2, 3])
  func goesOn(finished: Int) async throws {
    let names = ["a", "b", "c"]
    let id = try await journal { journal in
      let done = names.enumerated().map { LayerRecord(name: $1, position: $0, block: $0, state: .done, shape: [4, 4], damping: 0.1) }
      for layer in done { try journal.layer(layer) }
      try journal.begin(
        layers: names.enumerated().map { LayerRecord(name: $1, position: $0, block: $0, shape: [4, 4]) }, finished: finished)
    }
    let layers = try await store.repository.layers(of: id)
    #expect(layers.map(\.name) == names)
    #expect(layers.map(\.state) == (0..<3).map { $0 < finished ? .done : .pending })
    #expect(layers.compactMap(\.damping).count == finished)
    let progress = try #require(try await store.repository.job(id)?.progress)
    #expect(progress.done == finished && progress.total == 3)
    #expect(progress.fraction == Double(finished) / 3)
  }

  @Test("Everything of a layer and an attempt comes back")
  func roundTrips() async throws {
    let layer = LayerRecord(
      name: "a", position: 0, block: 0, state: .done, shape: [8, 8], method: .keep, degraded: true, cause: .incurable, bits: 4,
      groupSize: 128, damping: 0.2, attempts: 3, loss: 1, relativeLoss: 0.5,
      kept: .init(scaleSearch: 0.75, scaleRefinement: 0, errorCompensation: 0.5), tokens: 64, deadColumns: 2, seconds: 1)
    var attempt = TestStore.attempt("a", 1)
    (attempt.detail, attempt.remedy, attempt.dampingOrigin) = ("row 3", .moreSamples, .history)
    let id = try await journal { [attempt] journal in
      try journal.attempt(attempt)
      try journal.layer(layer)
    }
    #expect(try await store.repository.layer("a", of: id) == layer)
    #expect(try await store.repository.attempts(of: id, layer: nil) == [attempt])
  }
}
