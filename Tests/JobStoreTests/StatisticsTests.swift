import Foundation
import JobModel
import JobStore
import Synchronization
import Testing

@Suite struct StatisticsTests {
  private let store: TestStore
  private var repository: JobRepository { store.repository }

  init() throws { store = try TestStore() }

  private static func totals(_ total: Total, in repository: JobRepository) async throws -> [[String]: Double] {
    let rows = try await repository.statistics().totals.filter { $0.total == total }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0.labels, $0.value) })
  }

  /// A job with two finished layers and two attempts.
  private func workedOnJob(_ end: JobOutcome = TestStore.success) async throws -> Job {
    let id = try await store.submit().id
    _ = try await repository.claimNext(now: TestStore.now)
    let journal = JobJournal(repository, job: id, attempt: 1)
    try await Task.detached {
      try journal.attempt(TestStore.attempt("model.layers.0.mlp.down_proj", 1))
      var cured = TestStore.attempt("model.layers.0.mlp.down_proj", 2)
      (cured.cause, cured.outcome) = (nil, .succeeded)
      try journal.attempt(cured)
      for (name, seconds, damping) in [("model.layers.0.mlp.down_proj", 0.2, 0.02), ("some name; with \"all\" sorts", 5000, 0.01)] {
        try journal.layer(
          LayerRecord(name: name, position: 0, block: 0, state: .done, shape: [8, 8], damping: damping, seconds: seconds))
      }
    }.value
    return try await repository.finish(id, end, now: TestStore.now)
  }

  @Test("Sums survive the end, the deletion and the next start of the store")
  func survives() async throws {
    let report = Job.Report(calibrationTokens: 4096, layers: 2, seconds: 1)
    let job = try await workedOnJob(.succeeded(ArtifactManifest(repo: "jobs/x", revision: "0", files: []), report, degraded: false))
    _ = try await repository.delete(job.id)
    let reopened = try JobRepository(database: store.file)
    for repository in [repository, reopened] {
      #expect(try await Self.totals(.jobsSubmitted, in: repository) == [[]: 1])
      #expect(try await Self.totals(.calibrationTokens, in: repository) == [[]: 4096])
      #expect(try await Self.totals(.jobTransitions, in: repository) == [["queued"]: 1, ["running"]: 1, ["succeeded"]: 1])
      #expect(try await Self.totals(.attempts, in: repository) == [["rounding", "failed"]: 1, ["none", "succeeded"]: 1])
      let seconds: [[String]: Double] = [
        ["down_proj", "mlp_output", "0.3"]: 1, ["down_proj", "mlp_output", "sum"]: 0.2, ["other", "other", "+Inf"]: 1,
        ["other", "other", "sum"]: 5000,
      ]
      #expect(try await Self.totals(.layerSeconds, in: repository) == seconds)
      #expect(try await Self.totals(.layerDamping, in: repository) == [["0.02"]: 1, ["0.01"]: 1, ["sum"]: 0.03])
    }
  }

  @Test("What a transaction that fails would count isn't counted")
  func rollsBack() async throws {
    let job = try await workedOnJob()
    await #expect(throws: JobStatus.IllegalMove.self) {
      _ = try await store.repository.finish(job.id, .failed(Job.Failure(code: "x", detail: "y")), now: TestStore.now)
    }
    #expect(try await Self.totals(.jobTransitions, in: repository)[["failed"]] == nil)
  }

  @Test("Jobs are counted by status and stage, the memory of those that run is added up, the longest wait is that of the queue")
  func counts() async throws {
    let empty = try await repository.statistics()
    #expect(empty == JobStatistics())
    _ = try await workedOnJob(.failed(Job.Failure(code: "x", detail: "y")))
    let estimate = Job.Estimate(memoryBytes: 1 << 30, diskBytes: 2, artifactBytes: 1)
    for _ in 0..<2 {
      _ = try await repository.submit(
        JobRequest(model: "m"), layers: [], warnings: [], estimate: estimate, key: nil, now: TestStore.now.addingTimeInterval(1))
    }
    _ = try await repository.claimNext(now: TestStore.now)
    _ = try await repository.claimNext(now: TestStore.now)
    let waiting = try await store.submit(second: 5)
    let statistics = try await repository.statistics()
    #expect(statistics.jobs == [.failed: 1, .running: 2, .queued: 1])
    #expect(statistics.stages == [.preparing: 2])
    #expect(statistics.plannedMemory == 2 << 30)
    #expect(statistics.oldestQueuedAt == waiting.createdAt)
  }

  @Test("A job that is retried waits since then, however old it is")
  func retried() async throws {
    let job = try await workedOnJob(.failed(Job.Failure(code: "x", detail: "y")))
    let later = TestStore.now.addingTimeInterval(3600)
    _ = try await repository.retry(job.id, RetryRequest(), now: later)
    #expect(try await repository.statistics().oldestQueuedAt == later)
  }

  @Test("Every transaction is told of, with its time")
  func observes() async throws {
    final class Log: Sendable { let kinds = Mutex<[TransactionKind]>([]) }
    let log = Log()
    let folder = store.folder.appending(component: "observed.sqlite")
    let repository = try JobRepository(database: folder) { kind, duration in
      #expect(duration > .zero)
      log.kinds.withLock { $0.append(kind) }
    }
    _ = try await repository.submit(JobRequest(model: "m"), layers: [], warnings: [], key: nil, now: TestStore.now)
    let job = try #require(try await repository.claimNext(now: TestStore.now))
    let journal = JobJournal(repository, job: job.id, attempt: 1)
    try await Task.detached { try journal.warning("careful") }.value
    _ = try await repository.job(job.id)
    #expect(log.kinds.withLock { $0 } == [.write, .write, .write, .read])
  }
}
