import Cluster
import Foundation
import JobModel
import JobRunner
import JobStore
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

/// A database, a data folder and a scripted Slurm; daemons come and go over them.
final class TestCluster: Sendable {
  let folder: URL
  let slurm: FakeSlurm
  let repository: JobRepository

  init() throws {
    folder = try TemporaryFolder.make()
    slurm = try FakeSlurm()
    repository = try JobRepository(database: folder.appending(component: "gptqd.sqlite"))
    for name in ["attempts", "work", "artifacts"] {
      try FileManager.default.createDirectory(at: folder.appending(component: name), withIntermediateDirectories: true)
    }
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  var folders: ClusterFolders {
    let folder = folder
    return ClusterFolders(
      attempts: folder.appending(component: "attempts"), blocks: { folder.appending(path: "work/\($0)/blocks") },
      artifact: { folder.appending(path: "artifacts/\($0)") })
  }

  static let layer = LayerRecord(name: "a", position: 0, block: 0, shape: [8, 8])

  func submit(_ slurm: SlurmRequest? = nil) async throws -> JobID {
    let submission = try await repository.submit(
      JobRequest(model: "m", calibration: CalibrationRequest(dataset: "d"), slurm: slurm), layers: [Self.layer], warnings: [], key: nil,
      now: Date())
    guard case .created(let job) = submission else { throw CancellationError() }
    return job.id
  }

  /// Runs `body` beside a daemon's scheduler, which stops afterwards as at SIGTERM.
  func daemon(_ body: (Scheduler) async throws -> Void) async throws {
    var settings = SlurmSettings()
    settings.programs = slurm.folder
    settings.worker = URL(filePath: "/bin/false")
    settings.timing.poll = .milliseconds(60)
    settings.timing.tick = .milliseconds(20)
    settings.timing.silence = .seconds(4)
    let executor = SlurmExecutor(
      settings, repository: repository, folders: folders, maxShardBytes: 1 << 30,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { job, _, _ in
      PreparedJob(job: job, files: .init(model: URL(filePath: "/m"), calibration: nil, evaluation: nil), lease: nil)
    }
    let scheduler = Scheduler(
      repository: repository, executor: executor, workers: 4, gracePeriod: .seconds(5),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clearUp: folders.remove, withdraw: { _ in })
    try await testGracefulShutdown { trigger in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await scheduler.run() }
        do {
          try await body(scheduler)
        } catch {
          trigger.triggerGracefulShutdown()
          throw error
        }
        trigger.triggerGracefulShutdown()
        try await group.waitForAll()
      }
    }
  }

  // MARK: - What a node does

  func name(_ id: JobID, _ attempt: Int = 1) async throws -> String { try await repository.submissionPrefix() + "\(id)-\(attempt)" }

  func attempt(_ number: Int = 1, of id: JobID) -> AttemptFolder { folders.attempt(number, of: id) }

  /// Starts an attempt's worker as Slurm does, on a thread of its own.
  ///
  /// - Returns: nil where the attempt isn't to be had.
  func start(_ number: Int = 1, of id: JobID) async throws -> TestWorker? {
    let folder = attempt(number, of: id)
    try await eventually { try await self.slurm.state(self.name(id, number)) != nil }
    let worker = try TestWorker(folder)
    if worker != nil { try await slurm.set(name(id, number), "RUNNING") }
    return worker
  }

  // MARK: - Waiting

  func job(_ id: JobID) async throws -> Job { try #require(try await repository.job(id)) }

  @discardableResult
  func job(_ id: JobID, when isSo: (Job) -> Bool, _ location: SourceLocation = #_sourceLocation) async throws -> Job {
    try await eventually(location) { isSo(try await self.job(id)) }
    return try await job(id)
  }

  func count(_ total: Total) async throws -> Double {
    try await repository.statistics().totals.filter { $0.total == total }.reduce(0) { $0 + $1.value }
  }
}

/// Waits at most a minute.
func eventually(_ location: SourceLocation = #_sourceLocation, _ isSo: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < deadline {
    if try await isSo() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("it never came to be", sourceLocation: location)
  throw CancellationError()
}

/// A worker of whom the test says what it does, and when it dies.
final class TestWorker: Sendable {
  let session: AttemptSession

  init?(_ folder: AttemptFolder) throws {
    let worker = WorkerIdentity(host: "n1", process: 1, schedulerJob: nil, ranks: 1)
    guard let session = try AttemptSession.begin(try AttemptSpecification(of: folder), in: folder, as: worker) else { return nil }
    self.session = session
  }

  var journal: AttemptJournal { session.journal }

  func finishBlock(_ number: Int) throws {
    let blocks = session.folder.blocks
    try FileManager.default.createDirectory(at: blocks, withIntermediateDirectories: true)
    try Data("block \(number)".utf8).write(to: blocks.appending(component: "block-0000\(number).safetensors"))
  }

  var blocks: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: session.folder.blocks.path)) ?? []).sorted() }

  /// The end of its work: with an artifact.
  func succeed(_ text: String = "weights") throws {
    try session.run { session in
      try FileManager.default.createDirectory(at: session.folder.artifact, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: session.folder.artifact.appending(component: "model.safetensors"))
      return .succeeded(
        ArtifactManifest(repo: "jobs/\(session.specification.job.id)", revision: "r", files: []), Job.Report(layers: 1, seconds: 1),
        degraded: false)
    }
  }

  /// Its process is gone, and its pulse with it.
  func die() { session.abandon() }
}
