import Foundation
import JobModel
import JobStore
import Testing

@Suite struct RetryTests {
  private let store: TestStore
  private var repository: JobRepository { store.repository }

  init() throws { store = try TestStore() }

  private static let failure = Job.Failure(code: "not_positive_definite", layer: "a", cause: .incurable, detail: "d", tried: "t")

  /// A job that has failed after an attempt, a layer and a warning.
  private func failedJob() async throws -> Job {
    let id = try await store.submit().id
    _ = try await repository.claimNext(now: TestStore.now)
    let journal = JobJournal(repository, job: id, attempt: 1)
    try await Task.detached {
      try journal.stage(.quantizing)
      try journal.attempt(TestStore.attempt("a", 1))
      try journal.layer(LayerRecord(name: "a", position: 0, block: 0, state: .done, shape: [8, 8]))
      try journal.warning("careful")
      try journal.progress(.init(layer: "b", done: 1, total: 2, fraction: 0.5))
    }.value
    return try await repository.finish(id, .failed(Self.failure), now: TestStore.now)
  }

  @Test("A failed job is queued again as if it had not ended, with its history")
  func retries() async throws {
    let failed = try await failedJob()
    let now = TestStore.now.addingTimeInterval(60)
    let retried = try #require(try await repository.retry(failed.id, RetryRequest(), now: now))
    var expected = failed
    (expected.status, expected.version) = (.queued, failed.version + 1)
    (expected.error, expected.finishedAt, expected.progress) = (nil, nil, nil)
    #expect(retried == expected)
    #expect(try await repository.job(failed.id) == retried)
    #expect(retried.warnings == ["careful"])
    #expect(try await repository.layers(of: failed.id).map(\.state) == [.done, .pending])
    #expect(try await repository.attempts(of: failed.id, layer: nil).count == 1)
    let event = try #require(try await repository.events(of: failed.id, after: 0, limit: 100).last)
    #expect(event.kind == .status && event.at == now && event.data["status"]?.stringValue == "queued")
    let claimed = try #require(try await repository.claimNext(now: now))
    #expect(claimed.attempt == 2 && claimed.startedAt == failed.startedAt)
  }

  @Test("The changes are stored with the move, and nothing else of the request changes")
  func changesTheRequest() async throws {
    let failed = try await failedJob()
    let changes = RetryRequest(dampPercent: 0.1, dampingStart: .fixed, escalateSamples: [64], onExhausted: .keep)
    _ = try await repository.retry(failed.id, changes, now: TestStore.now)
    var request = failed.request
    request.quantization.dampPercent = 0.1
    request.damping.start = .fixed
    request.recovery = .init(escalateSamples: [64], onExhausted: .keep)
    #expect(try await repository.claimNext(now: TestStore.now)?.request == request)
  }

  @Test("A cancelled job is retried too")
  func retriesCancelled() async throws {
    let job = try await store.submit()
    _ = try await repository.requestCancel(job.id, now: TestStore.now)
    let retried = try #require(try await repository.retry(job.id, RetryRequest(), now: TestStore.now))
    #expect(retried.status == .queued && retried.finishedAt == nil)
  }

  @Test("A job that waits or runs stays as it is")
  func isIdempotent() async throws {
    let failed = try await failedJob()
    let retried = try await repository.retry(failed.id, RetryRequest(onExhausted: .rtn), now: TestStore.now)
    #expect(try await repository.retry(failed.id, RetryRequest(onExhausted: .keep), now: TestStore.now) == retried)
    let running = try await repository.claimNext(now: TestStore.now)
    #expect(try await repository.retry(failed.id, RetryRequest(onExhausted: .keep), now: TestStore.now) == running)
    #expect(try await repository.job(failed.id) == running)
  }

  @Test("A job that succeeded or is being cancelled is refused, and none is none")
  func refuses() async throws {
    let succeeded = try await store.submit()
    _ = try await repository.claimNext(now: TestStore.now)
    let before = try await repository.finish(succeeded.id, TestStore.success, now: TestStore.now)
    await #expect(throws: JobStatus.IllegalMove(from: .succeeded, to: .queued)) {
      try await repository.retry(succeeded.id, RetryRequest(), now: TestStore.now)
    }
    #expect(try await repository.job(succeeded.id) == before)
    let cancelling = try await store.submit(second: 1)
    _ = try await repository.claimNext(now: TestStore.now)
    _ = try await repository.requestCancel(cancelling.id, now: TestStore.now)
    await #expect(throws: JobStatus.IllegalMove(from: .cancelling, to: .queued)) {
      try await repository.retry(cancelling.id, RetryRequest(), now: TestStore.now)
    }
    #expect(try await repository.retry(JobID(), RetryRequest(), now: TestStore.now) == nil)
  }

  @Test("A change that the job can't have leaves it as it was")
  func refusesChanges() async throws {
    let request = JobRequest(kind: .layers, model: "m", recovery: .init(escalateSamples: []))
    guard case .created(let job) = try await repository.submit(request, layers: [], warnings: [], key: nil, now: TestStore.now) else {
      Issue.record("no job was made")
      return
    }
    let cancelled = try await repository.requestCancel(job.id, now: TestStore.now)
    await #expect(throws: Problem.self) { try await repository.retry(job.id, RetryRequest(escalateSamples: [256]), now: TestStore.now) }
    #expect(try await repository.job(job.id) == cancelled)
  }

  @Test("Retries at the same time make one move")
  func retriesOnce() async throws {
    let failed = try await failedJob()
    let versions = try await withThrowingTaskGroup(of: Int?.self) { group in
      for _ in 0..<8 { group.addTask { try await repository.retry(failed.id, RetryRequest(), now: TestStore.now)?.version } }
      return try await group.reduce(into: Set<Int?>()) { $0.insert($1) }
    }
    #expect(versions == [failed.version + 1])
  }
}
