import Foundation
import JobModel
import JobStore
import Testing

/// What the next daemon makes of jobs that were running when one ended.
@Suite struct InterruptionTests {
  private let store: TestStore
  private var repository: JobRepository { store.repository }

  init() throws { store = try TestStore() }

  /// Starts the job, takes it to a place, and lets the daemon end there.
  private func interrupt(_ id: JobID, layersDone: Int) async throws -> Job {
    let job = try #require(try await repository.claimNext(now: TestStore.now))
    #expect(job.id == id)
    let journal = JobJournal(repository, job: id, attempt: job.attempt)
    try journal.stage(.quantizing)
    for layer in TestStore.layers.prefix(layersDone) {
      var layer = layer
      layer.state = .done
      try journal.layer(layer)
    }
    let orphans = try await repository.takeUpOrphans(now: TestStore.now)
    #expect(orphans.map(\.id) == [id])
    return try #require(orphans.first)
  }

  @Test("The third end at the same place fails the job, and names the place")
  func failsTheThirdTime() async throws {
    let id = try await store.submit().id
    for count in 1...2 {
      let job = try await interrupt(id, layersDone: 1)
      #expect(job.status == .queued && job.interruptions.count == count)
      #expect(job.interruptions.last == Job.Interruption(foundAt: TestStore.now, stage: .quantizing, layersDone: 1, layer: "b"))
    }
    let job = try await interrupt(id, layersDone: 1)
    #expect(job.status == .failed && job.finishedAt == TestStore.now)
    #expect(job.error?.code == "daemon_interrupted" && job.error?.layer == "b")
    #expect(job.error?.detail.contains("quantizing, with 1 layers done, next b") == true)
    #expect(try await repository.claimNext(now: TestStore.now) == nil)
    let events = try await repository.events(of: id, after: 0, limit: 100)
    #expect(events.filter { $0.kind == .interruption }.count == 3)
  }

  @Test("The queue goes on after it")
  func theQueueGoesOn() async throws {
    let id = try await store.submit().id
    let next = try await store.submit(second: 1).id
    for _ in 1...3 { _ = try await interrupt(id, layersDone: 0) }
    #expect(try await repository.claimNext(now: TestStore.now)?.id == next)
  }

  @Test("A job that gets further each time isn't given up")
  func progressCounts() async throws {
    let id = try await store.submit().id
    for done in [0, 0, 1, 1, 2, 2] { #expect(try await interrupt(id, layersDone: done).status == .queued) }
  }

  @Test("A retry begins to count anew; what happened stays among the events")
  func retryForgets() async throws {
    let id = try await store.submit().id
    for _ in 1...3 { _ = try await interrupt(id, layersDone: 0) }
    let retried = try await repository.retry(id, RetryRequest(), now: TestStore.now)
    #expect(retried?.interruptions == [])
    #expect(try await interrupt(id, layersDone: 0).status == .queued)
    #expect(try await repository.events(of: id, after: 0, limit: 100).filter { $0.kind == .interruption }.count == 4)
  }

  @Test("A job that is put back because the daemon is asked to stop wasn't interrupted")
  func drainingDoesntCount() async throws {
    let id = try await store.submit().id
    for _ in 1...5 {
      _ = try await repository.claimNext(now: TestStore.now)
      try await repository.requeue(id, now: TestStore.now)
    }
    #expect(try await repository.takeUpOrphans(now: TestStore.now).isEmpty)
    #expect(try await repository.job(id)?.interruptions == [])
  }
}
