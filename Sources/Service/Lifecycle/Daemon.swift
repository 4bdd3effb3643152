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
  public typealias Work = @Sendable (Job, JobFiles, JobFolders, CancellationFlag, JobJournal) throws -> JobOutcome

  public static let version = "0.1.0"

  private let configuration: ServiceConfiguration
  private let folder: DataFolder
  private let repository: JobRepository
  private let scheduler: Scheduler
  private let catalog: ResourceCatalog
  private let planner: any JobPlanner
  private let logger: Logger

  /// Locks the data folder and opens the store.
  ///
  /// - Throws: `DataFolder.LockError`, `JobStoreError`.
  public init(_ configuration: ServiceConfiguration, planner: any JobPlanner, work: @escaping Work, logger: Logger) throws {
    let folder = try DataFolder(configuration.dataFolder)
    let catalog = ResourceCatalog(modelRoots: configuration.modelRoots, datasetRoots: configuration.datasetRoots)
    repository = try JobRepository(database: folder.database)
    let executor = LocalExecutor(pool: WorkerPool(label: "gptqd.jobs")) { job, cancellation, journal in
      let files = try catalog.files(of: job.request)
      return try work(job, files, folder.folders(for: job.id.text), cancellation, journal)
    }
    scheduler = Scheduler(
      repository: repository, executor: executor, workers: configuration.workers, gracePeriod: configuration.gracePeriod, logger: logger
    ) { id in
      try? FileManager.default.removeItem(at: folder.folders(for: id.text).artifact)
    }
    self.configuration = configuration
    self.folder = folder
    self.catalog = catalog
    self.planner = planner
    self.logger = logger
  }

  /// Serves until the process is asked to stop, or the surrounding service group is.
  ///
  /// - Parameter onListening: Told the daemon's address.
  public func run(onListening: @escaping @Sendable (String) -> Void = { _ in }) async throws {
    let drain = DrainSignal()
    let application = Application(
      router: router(drain), server: .http1(configuration: .init(idleTimeout: .seconds(configuration.idleTimeout.components.seconds))),
      configuration: .init(address: .hostname(configuration.host, port: configuration.port), serverName: "gptqd"),
      onServerRunning: { channel in announce(channel.localAddress, onListening) }, logger: logger)
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: DrainNotice(drain: drain)), .init(service: application), .init(service: scheduler)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    try? FileManager.default.removeItem(at: folder.addressFile)
    logger.notice("stopped")
  }

  private func router(_ drain: DrainSignal) -> Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: ProblemMiddleware())
    let files = WorkerPool(label: "gptqd.files")
    JobRoutes(
      repository: repository, scheduler: scheduler, catalog: catalog, planner: planner, files: files,
      maxBodyBytes: configuration.maxBodyBytes
    ).add(to: router)
    ArtifactRoutes(repository: repository, folder: folder, files: files).add(to: router)
    OperationsRoutes(drain: drain).add(to: router)
    MethodNotAllowed.add(to: router)
    return router
  }

  private func announce(_ address: SocketAddress?, _ onListening: (String) -> Void) {
    let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
    let url = "http://\(host):\(address?.port ?? configuration.port)"
    do {
      try Data((url + "\n").utf8).write(to: folder.addressFile, options: .atomic)
    } catch {
      logger.warning("the address file can't be written", metadata: ["error": "\(error)"])
    }
    logger.notice(
      "listening",
      metadata: ["url": "\(url)", "data": "\(folder.url.path)", "version": "\(Self.version)", "workers": "\(configuration.workers)"])
    onListening(url)
  }
}

/// Tells routes that the daemon stops.
private struct DrainNotice: Service {
  let drain: DrainSignal

  func run() async throws {
    try await gracefulShutdown()
    drain.set()
  }
}
