import Foundation
import Hummingbird
import JobModel
import JobRunner
import JobStore

/// `GET /v1/server`: what a client wants to know of the daemon before it asks for work.
struct ServerRoute {
  let repository: JobRepository
  let folder: DataFolder
  let files: WorkerPool
  let drain: DrainSignal
  let limits: ServerStatus.Limits

  var routes: [Route] { [.get("v1/server", use: show)] }

  @Sendable private func show(_ request: Request, _ context: APIContext) async throws -> Response {
    let url = folder.url
    let (disk, memory) = try await files.run { (FileManager.freeBytes(in: url), Self.availableMemory()) }
    let access = context.token.map { ServerStatus.Access(name: $0.name, mayWrite: $0.scope == .write) }
    let status = ServerStatus(
      version: Daemon.version, time: Date(), draining: drain.isDraining, access: access,
      jobs: .init(try await repository.counts()), limits: limits, freeDiskBytes: disk, availableMemoryBytes: memory)
    return try .json(status)
  }

  /// Bytes, as Linux estimates them (proc(5), meminfo).
  private static func availableMemory() -> Int? {
    let lines = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let words = lines.first { $0.hasPrefix("MemAvailable:") }?.split(separator: " ") ?? []
    return words.count == 3 ? Int(words[1]).map { $0 * 1024 } : nil
  }
}
