import Checkpoint
import Cluster
import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore
import Logging
import NIOCore
import ServiceLifecycle

/// The whole daemon: store, scheduler and HTTP server, started and stopped together.
public struct Daemon: Sendable {
  /// Does a job's work on the worker's thread.
  public typealias Work = @Sendable (Job, JobFiles, JobFolders, CancellationFlag, any JobRecorder) throws -> JobOutcome

  public static let version = "0.1.0"

  private let configuration: ServiceConfiguration
  private let folder: DataFolder
  private let repository: JobRepository
  private let metrics = ServiceMetrics()
  private let executor: any JobExecutor
  /// The executor, where it is Slurm's.
  private let slurm: SlurmExecutor?
  private let scheduler: Scheduler
  private let files: WorkerPool
  private let store: ArtifactStore
  private let catalog: ResourceCatalog
  private let uploads: UploadStore
  private let hashes: FileHashes
  private let planner: any JobPlanner
  private let hub: HubSource
  private let feeds: LiveFeeds
  private let logger: Logger

  /// Locks the data folder and opens the store.
  ///
  /// - Throws: `DataFolder.LockError`, `JobStoreError`.
  public init(_ configuration: ServiceConfiguration, planner: any JobPlanner, work: @escaping Work, logger: Logger) throws {
    let folder = try DataFolder(configuration.dataFolder)
    // Nothing is uploaded under a name that the roots have; what gets there later doesn't take its place.
    let catalog = ResourceCatalog(
      modelRoots: [folder.uploads.models] + configuration.modelRoots, datasetRoots: [folder.uploads.datasets] + configuration.datasetRoots)
    repository = try JobRepository(database: folder.database, observe: metrics.transaction)
    let hub = HubSource(
      settings: configuration.hub, store: HubStore(folder: folder.hub), dataFolder: folder.url, freeBytes: FileManager.freeBytes(in:))
    let inputs = JobInputs(hub: hub, catalog: catalog, planner: planner)
    switch configuration.executor {
    case .local:
      slurm = nil
      executor = LocalExecutor(pool: WorkerPool(label: "gptqd.jobs")) { job, cancellation, journal in
        let (job, files, lease) = try inputs.get(for: job, cancellation, journal)
        defer { withExtendedLifetime(lease) {} }
        return try work(job, files, folder.folders(for: job.id.text), cancellation, journal)
      }
    case .slurm:
      let executor = SlurmExecutor(
        configuration.slurm, repository: repository, folders: folder.clusterFolders, maxShardBytes: configuration.maxShardBytes,
        logger: logger
      ) { job, cancellation, journal in
        let (job, files, lease) = try inputs.get(for: job, cancellation, journal)
        return PreparedJob(
          job: job, files: .init(model: files.model, calibration: files.calibration, evaluation: files.evaluation), lease: lease)
      }
      (self.executor, slurm) = (executor, executor)
    }
    scheduler = Scheduler(
      repository: repository, executor: executor, workers: configuration.jobsAtOnce, gracePeriod: configuration.gracePeriod,
      logger: logger, makeRoom: folder.releaseReserve,
      clearUp: { id in
        try? FileManager.default.removeItem(at: folder.folders(for: id.text).work)
        folder.clusterFolders.remove(id)
      }
    ) { id in
      try? FileManager.default.removeItem(at: folder.folders(for: id.text).artifact)
    }
    files = WorkerPool(label: "gptqd.files")
    hashes = FileHashes(files: files, storage: folder.hashFile)
    store = ArtifactStore(folder: folder, repository: repository, files: files, logger: logger)
    uploads = UploadStore(
      repository: repository, folder: folder.uploads,
      roots: ResourceCatalog(modelRoots: configuration.modelRoots, datasetRoots: configuration.datasetRoots),
      desk: UploadDesk(limit: configuration.uploads.concurrent), files: files, limits: configuration.uploads, logger: logger)
    feeds = LiveFeeds(repository: repository, timing: configuration.eventTiming, logger: logger)
    self.configuration = configuration
    self.folder = folder
    self.catalog = catalog
    self.planner = planner
    self.hub = hub
    self.logger = logger
  }

  /// Connections get this much longer than jobs, so that a client learns of a job's end.
  private static let connectionGrace = Duration.seconds(5)

  /// Serves until the process or the surrounding service group is asked to stop, or the task is cancelled; returns when
  /// everything has stopped, or at the end of the grace period, whatever still runs then.
  ///
  /// - Parameter onListening: Told the daemon's address.
  /// - Throws: `ConfigurationError.cannotListen`.
  public func run(onListening: @escaping @Sendable (String) -> Void = { _ in }) async throws {
    try? FileManager.default.removeItem(at: folder.addressFile)
    await recoverUploads()
    let (ends, end) = AsyncThrowingStream.makeStream(of: Void.self)
    let drain = DrainService(limit: configuration.gracePeriod + Self.connectionGrace) { end.yield() }
    let (listening, listens) = AsyncStream.makeStream(of: Void.self)
    let verifier = ArtifactVerifier(repository: repository, store: store, interval: configuration.verifyInterval, logger: logger)
    let housekeeping = Housekeeping(
      repository: repository, store: store, uploads: uploads, folder: folder,
      hub: HubRetention(store: hub.store, repository: repository, logger: logger), age: configuration.retentionAge,
      maxBytes: configuration.maxDataBytes,
      logger: logger)
    let webhooks = WebhookService(
      repository: repository, hosts: configuration.webhookHosts, timing: configuration.webhookTiming, logger: logger)
    let application = Application(
      router: router(drain.signal),
      server: .guarded(connectionLimits, metrics: metrics),
      configuration: .init(
        address: .hostname(configuration.host, port: configuration.port), serverName: "gptqd", backlog: 1024,
        availableConnectionsDelegate: .maximum(try connectionLimit(), logger: logger)),
      onServerRunning: { channel in
        announce(channel.localAddress, onListening)
        listens.finish()
      }, logger: logger)
    // Stopped in reverse order: routes learn of it first, and answer until the jobs have stopped.
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: application), .init(service: feeds), .init(service: webhooks),
          .init(service: SchedulerService(scheduler: scheduler, prepare: sweep, listening: listening)),
          .init(service: verifier), .init(service: housekeeping), .init(service: drain),
        ] + watches, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    // Not a child task: that one would be waited for, also after the grace period.
    Task {
      do {
        try await group.run()
        end.finish()
      } catch {
        end.finish(throwing: startError(error))
      }
    }
    // A task of its own, since a cancelled one doesn't wait.
    let ending = Task {
      for try await _ in ends {
        logger.warning("the grace period is over; what still runs is taken up at the next start")
        break
      }
    }
    try await withTaskCancellationHandler {
      try await ending.value
    } onCancel: {
      Task { await group.triggerGracefulShutdown() }
    }
    try? FileManager.default.removeItem(at: folder.addressFile)
    logger.notice("stopped")
  }

  private var watches: [ServiceGroupConfiguration.ServiceConfiguration] {
    slurm.map { [.init(service: SlurmWatch(executor: $0))] } ?? []
  }

  private func recoverUploads() async {
    do {
      try await uploads.recover()
    } catch {
      logger.error("uploads that an earlier daemon left half-done can't be taken up", metadata: ["error": "\(error)"])
    }
  }

  /// Removes what an earlier daemon left half-done.
  @Sendable private func sweep() async throws {
    let statuses = try await repository.statuses()
    // Where jobs outlive the daemon, those that run are at work.
    folder.sweep(statuses.filter { !executor.outlivesDaemon || $0.value.isEnded || $0.value == .queued })
    if !executor.outlivesDaemon { folder.clusterFolders.fenceAll() }
    hub.store.sweep()
    let strangers = folder.strangers(statuses) + (try await uploads.strangers())
    if !strangers.isEmpty {
      logger.warning(
        "the data folder has files of jobs or uploads that the database doesn't know; remove them if it wasn't replaced",
        metadata: ["paths": "\(strangers.prefix(10).joined(separator: ", "))", "count": "\(strangers.count)"])
    }
  }

  /// Methods and paths of the API, as "GET /v1/jobs/:id".
  package var endpoints: [String] { routes(DrainSignal(), MemoryBudget(capacity: 0)).map { "\($0.method.rawValue) /\($0.path)" } }

  /// Names of the query parameters of each of `endpoints`; nil: any, all ignored.
  package var queryParameters: [String: Set<String>?] {
    let routes = routes(DrainSignal(), MemoryBudget(capacity: 0))
    return Dictionary(uniqueKeysWithValues: routes.map { ("\($0.method.rawValue) /\($0.path)", $0.query) })
  }

  private func router(_ drain: DrainSignal) -> Router<APIContext> {
    let budget = MemoryBudget(capacity: memoryLimits.budget)
    let routes = routes(drain, budget)
    let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: MetricsMiddleware(routes: routes, metrics: metrics))
    router.add(middleware: ProblemMiddleware(routes: routes, maxBodyBytes: memoryLimits.bodyBytes))
    router.add(
      middleware: AccessMiddleware(
        routes: routes, tokens: configuration.tokens, failures: FailureLimiter(limit: configuration.failuresPerMinute)))
    router.add(middleware: AnswerMiddleware(budget: budget))
    for route in routes { router.on(RouterPath(route.path), method: route.method, use: route.answer) }
    return router
  }

  private var memoryLimits: MemoryLimits {
    MemoryLimits(bodyBytes: configuration.limits.bodyBytes, memory: EngineLimits.memory(of: configuration))
  }

  private func routes(_ drain: DrainSignal, _ budget: MemoryBudget) -> [Route] {
    let bodies = JSONBody.Reader(limit: memoryLimits.bodyBytes, budget: budget)
    let (planning, listing) = (Turns(width: MemoryLimits.planners, waiting: 64), Turns(width: 2, waiting: 1024))
    let pool = WorkerPool(label: "gptqd.planning")
    let submission = SubmitRoute(
      repository: repository, scheduler: scheduler,
      planning: SubmissionPlanning(
        catalog: catalog, planner: planner, hub: hub, configuration: configuration, pool: pool, planning: planning),
      bodies: bodies, maxQueuedJobs: configuration.maxQueuedJobs)
    let jobs = JobRoutes(
      repository: repository, scheduler: scheduler, store: store, folder: folder, bodies: bodies, pool: pool, planning: planning,
      listing: listing, maxQueuedJobs: configuration.maxQueuedJobs, configuration: configuration)
    let events = EventRoutes(
      repository: repository, feeds: feeds, streams: StreamLimit(connections: configuration.limits.connections), listing: listing)
    let webhooks = WebhookRoutes(repository: repository, listing: listing)
    let layers = LayerRoutes(repository: repository, listing: listing)
    let uploads = UploadRoutes(store: self.uploads, listing: listing, budget: budget)
    let artifacts = ArtifactRoutes(repository: repository, store: store, files: files)
    let catalog = HubCatalog(jobs: repository, models: self.catalog, store: store, files: files, hashes: hashes)
    let repositories = HubRoutes(catalog: catalog, files: files, listing: listing)
    let work = [submission.routes, jobs.routes, events.routes, webhooks.routes, layers.routes, artifacts.routes]
    let operation = [
      OperationsRoutes(drain: drain).routes, metricsRoute(budget).routes, server(drain).routes, OpenAPIRoutes().routes,
      DashboardRoutes().routes,
    ]
    return (work + [uploads.routes, repositories.routes] + operation).flatMap { $0 }
  }

  private func server(_ drain: DrainSignal) -> ServerRoute {
    ServerRoute(
      repository: repository, folder: folder, files: files, drain: drain,
      limits: .init(
        queuedJobs: configuration.maxQueuedJobs, bodyBytes: memoryLimits.bodyBytes, workers: configuration.jobsAtOnce, threads: threads,
        memoryBytes: EngineLimits.memory(of: configuration)))
  }

  private func metricsRoute(_ budget: MemoryBudget) -> MetricsRoute {
    MetricsRoute(
      metrics,
      limits: .init(
        workers: configuration.jobsAtOnce, threads: threads, memory: EngineLimits.memory(of: configuration),
        queue: configuration.maxQueuedJobs),
      repository: repository, scheduler: scheduler, folder: folder, budget: budget)
  }

  private var threads: Int { configuration.threads > 0 ? configuration.threads : ProcessInfo.processInfo.activeProcessorCount }

  private var connectionLimits: HTTPLimits {
    var limits = configuration.limits
    limits.bodyBytes = memoryLimits.bodyBytes
    return limits
  }

  private func connectionLimit() throws -> Int {
    let wanted = configuration.limits.connections
    let possible = try FileDescriptors.connections(wanted: wanted)
    if possible < wanted {
      logger.warning(
        "fewer connections than http.max_connections: the process may not have more files open (ulimit -n)",
        metadata: ["wanted": "\(wanted)", "possible": "\(possible)"])
    }
    metrics.limitConnections(to: possible)
    return possible
  }

  private func startError(_ error: any Error) -> any Error {
    switch error {
    case let error as IOError:
      ConfigurationError.cannotListen(listen: configuration.listen, reason: unsafe String(cString: strerror(error.errnoCode)))
    case is SocketAddressError, is SocketAddressError.UnknownHost:
      ConfigurationError.cannotListen(listen: configuration.listen, reason: "there is no such host")
    default: error
    }
  }

  private func announce(_ address: SocketAddress?, _ onListening: (String) -> Void) {
    var bound = configuration
    bound.port = address?.port ?? configuration.port
    let url = "http://" + bound.listen
    do {
      try DurableFile.write(Data((url + "\n").utf8), to: folder.addressFile)
    } catch {
      logger.warning("the address file can't be written", metadata: ["error": "\(error)"])
    }
    logger.notice(
      "listening",
      metadata: [
        "url": "\(url)", "data": "\(folder.url.path)", "version": "\(Self.version)", "workers": "\(configuration.workers)",
        "threads": "\(threads)",
      ])
    onListening(url)
  }
}
