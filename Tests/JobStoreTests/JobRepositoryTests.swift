import Foundation
import JobModel
import JobStore
import Testing

@Suite struct JobRepositoryTests {
  private let store: TestStore
  private var repository: JobRepository { store.repository }

  init() throws { store = try TestStore() }

  @Test("A submitted job is there for whoever opens the database next")
  func isDurable() async throws {
    let job = try await store.submit()
    let other = try JobRepository(database: store.file)
    #expect(try await other.job(job.id) == job)
    #expect(try await other.layers(of: job.id) == TestStore.layers)
    #expect(try await other.events(of: job.id, after: 0, limit: 10).map(\.kind) == [.status])
  }

  @Test("Jobs are claimed by priority, then by age")
  func claimsInOrder() async throws {
    let low = try await store.submit(priority: 0, second: 0)
    let high = try await store.submit(priority: 5, second: 2)
    let older = try await store.submit(priority: 5, second: 1)
    var claimed: [JobID] = []
    while let job = try await repository.claimNext(now: TestStore.now) { claimed.append(job.id) }
    #expect(claimed == [older.id, high.id, low.id])
    #expect(try await repository.job(low.id)?.attempt == 1)
    #expect(try await repository.counts() == [.running: 3])
  }

  @Test("Claims at the same time never take the same job")
  func claimsExclusively() async throws {
    for second in 0..<20 { try await store.submit(second: second) }
    let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
      for _ in 0..<8 {
        group.addTask {
          var mine: [JobID] = []
          while let job = try await repository.claimNext(now: TestStore.now) { mine.append(job.id) }
          return mine
        }
      }
      return try await group.reduce(into: [JobID]()) { $0 += $1 }
    }
    #expect(claimed.count == 20)
    #expect(Set(claimed).count == 20)
  }

  @Test("A waiting job is cancelled at once, a running one when it has stopped; twice is once")
  func cancels() async throws {
    let running = try await store.submit()
    _ = try await repository.claimNext(now: TestStore.now)
    let waiting = try await store.submit(second: 1)
    #expect(try await repository.requestCancel(waiting.id, now: TestStore.now)?.status == .cancelled)
    #expect(try await repository.requestCancel(running.id, now: TestStore.now)?.status == .cancelling)
    #expect(try await repository.requestCancel(running.id, now: TestStore.now)?.status == .cancelling)
    #expect(try await repository.requestCancel(waiting.id, now: TestStore.now)?.status == .cancelled)
    #expect(try await repository.requestCancel(JobID(), now: TestStore.now) == nil)
  }

  @Test("Cancel wins over an outcome that comes after it")
  func letsCancelWin() async throws {
    let job = try await store.submit()
    _ = try await repository.claimNext(now: TestStore.now)
    _ = try await repository.requestCancel(job.id, now: TestStore.now)
    let ended = try await repository.finish(job.id, TestStore.success, now: TestStore.now)
    #expect(ended.status == .cancelled)
    #expect(ended.result == nil)
  }

  @Test("Illegal moves are refused and change nothing")
  func refusesIllegalMoves() async throws {
    let job = try await store.submit()
    await #expect(throws: JobStatus.IllegalMove(from: .queued, to: .succeeded)) {
      try await repository.finish(job.id, TestStore.success, now: TestStore.now)
    }
    #expect(try await repository.job(job.id) == job)
    _ = try await repository.claimNext(now: TestStore.now)
    try await repository.finish(job.id, TestStore.success, now: TestStore.now)
    await #expect(throws: JobStatus.IllegalMove(from: .succeeded, to: .cancelling)) {
      try await repository.requestCancel(job.id, now: TestStore.now)
    }
    #expect(try await store.status(job.id) == .succeeded)
  }

  @Test("What a vanished daemon left running is queued again, what it was cancelling is cancelled")
  func takesUpOrphans() async throws {
    let running = try await store.submit()
    let cancelling = try await store.submit(second: 1)
    for _ in 0..<2 { _ = try await repository.claimNext(now: TestStore.now) }
    _ = try await repository.requestCancel(cancelling.id, now: TestStore.now)
    #expect(try await repository.takeUpOrphans(now: TestStore.now).map(\.id) == [running.id])
    #expect(try await store.status(running.id) == .queued)
    #expect(try await store.status(cancelling.id) == .cancelled)
  }

  @Test("A job that is put back has not spent its start")
  func requeues() async throws {
    let job = try await store.submit()
    _ = try await repository.claimNext(now: TestStore.now)
    try await repository.requeue(job.id, now: TestStore.now)
    #expect(try await repository.job(job.id)?.attempt == 0)
    #expect(try await repository.claimNext(now: TestStore.now)?.attempt == 1)
  }

  @Test("An Idempotency-Key gives the stored job for the same body and refuses another")
  func replays() async throws {
    let key = IdempotencyKey(key: "k", fingerprint: "f")
    let first = try await store.submit(key: key)
    let second = try await store.submit(second: 9, key: key)
    #expect(first == second)
    await #expect(throws: JobStoreError.idempotencyMismatch(key: "k")) {
      try await store.submit(key: IdempotencyKey(key: "k", fingerprint: "g"))
    }
    #expect(try await repository.jobs(status: nil, limit: 10, after: nil).data.count == 1)
  }

  @Test("Lists are paged from the newest on")
  func pages() async throws {
    var ids: [JobID] = []
    for second in 0..<5 { ids.append(try await store.submit(second: second).id) }
    let first = try await repository.jobs(status: nil, limit: 2, after: nil)
    #expect(first.data.map(\.id) == [ids[4], ids[3]])
    #expect(first.hasMore && first.lastId == ids[3].text)
    let last = try await repository.jobs(status: .queued, limit: 5, after: ids[3])
    #expect(last.data.map(\.id) == [ids[2], ids[1], ids[0]])
    #expect(!last.hasMore)
    #expect(try await repository.jobs(status: .failed, limit: 5, after: nil).data.isEmpty)
  }

  @Test("Waiting ends with a change, and at once where there was one already")
  func waits() async throws {
    let job = try await store.submit()
    async let changed = repository.waitForChange(of: job.id, from: job.version, timeout: .seconds(60))
    _ = try await repository.claimNext(now: TestStore.now)
    #expect(try await changed?.status == .running)
    #expect(try await repository.waitForChange(of: job.id, from: job.version, timeout: .seconds(60))?.status == .running)
    let current = try #require(try await repository.job(job.id))
    let unchanged = try await repository.waitForChange(of: job.id, from: current.version, timeout: .milliseconds(20))
    #expect(unchanged == current)
  }
}
