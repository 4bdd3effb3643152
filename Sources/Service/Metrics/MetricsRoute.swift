import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore
import LinearAlgebra
import NIOCore

/// `GET /metrics`, for Prometheus.
struct MetricsRoute: Sendable {
  /// What the configuration sets.
  struct Limits: Sendable {
    let workers: Int
    let threads: Int
    let memory: Int
    let queue: Int
  }

  private let metrics: ServiceMetrics
  private let limits: Limits
  private let scheduler: Scheduler
  private let budget: MemoryBudget
  private let jobs: Cached<JobStatistics>
  private let folder: Cached<DataFolderStatistics>
  private let machine: Cached<(disk: DiskStatistics, process: ProcessStatistics?)>

  /// Several scrapers at once make no more work than one.
  private static let age = Duration.seconds(2)
  /// Every file of the data folder is looked at.
  private static let folderAge = Duration.seconds(30)

  init(
    _ metrics: ServiceMetrics, limits: Limits, repository: JobRepository, scheduler: Scheduler, folder: DataFolder, budget: MemoryBudget
  ) {
    let files = WorkerPool(label: "gptqd.metrics")
    (self.metrics, self.limits, self.scheduler, self.budget) = (metrics, limits, scheduler, budget)
    jobs = Cached(for: Self.age) { try await repository.statistics() }
    self.folder = Cached(for: Self.folderAge) { try await files.run { DataFolderStatistics(folder) } }
    machine = Cached(for: Self.age) { try await files.run { (DiskStatistics(folder), ProcessStatistics()) } }
  }

  var routes: [Route] { [.get("metrics", query: nil, use: show)] }

  @Sendable private func show(_ request: Request, _ context: APIContext) async throws -> Response {
    Response(
      status: .ok, headers: [.contentType: Exposition.contentType],
      body: ResponseBody(byteBuffer: ByteBuffer(string: try await exposition(context).text)))
  }

  private func exposition(_ context: APIContext) async throws -> Exposition {
    var exposition = Exposition()
    exposition.add(.buildInfo, [([Daemon.version, BLASLibrary.core], 1)])
    let statistics = await statistics(context)
    exposition.add(.storeUp, statistics == nil ? 0 : 1)
    // A disk that fails shall be seen, not keep everything else from being seen.
    statistics?.write(to: &exposition, now: Date())
    await writeUtilisation(to: &exposition)
    metrics.write(to: &exposition)
    try await folder.value.write(to: &exposition)
    let machine = try await machine.value
    machine.disk.write(to: &exposition)
    machine.process?.write(to: &exposition)
    return exposition
  }

  private func statistics(_ context: APIContext) async -> JobStatistics? {
    do {
      return try await jobs.value
    } catch {
      context.logger.error("the database can't be read for metrics", metadata: ["error": "\(error)"])
      return nil
    }
  }

  private func writeUtilisation(to exposition: inout Exposition) async {
    let running = await scheduler.runningCount
    exposition.add(.workers, Double(limits.workers))
    exposition.add(.busyWorkers, Double(running))
    exposition.add(.threads, Double(limits.threads))
    exposition.add(.busyThreads, Double(min(running, limits.workers) * max(1, limits.threads / limits.workers)))
    exposition.add(.memoryLimit, Double(limits.memory))
    exposition.add(.queueLimit, Double(limits.queue))
    exposition.add(.bufferedBytes, Double(budget.usedBytes))
    exposition.add(.bufferedLimit, Double(budget.capacity))
  }
}
