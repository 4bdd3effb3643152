import Foundation
import JobModel

extension ServerExamination {
  /// Queue, disk and memory of a daemon.
  static func resources(_ status: ServerStatus) -> [Finding] {
    [queue(status), disk(status), memory(status)].compactMap { $0 }
  }

  private static func queue(_ status: ServerStatus) -> Finding {
    let (jobs, limits) = (status.jobs, status.limits)
    let detail = "\(jobs.running) of \(limits.workers) running, \(jobs.queued) of \(limits.queuedJobs) waiting"
    guard jobs.queued >= limits.queuedJobs else { return .right("queue", detail) }
    return .wrong(
      "queue", detail + "; a new job is refused", advice: "Wait, cancel some (gptqctl list --status queued), or raise jobs.max_queued.")
  }

  private static let leastDisk = 1 << 30

  private static func disk(_ status: ServerStatus) -> Finding? {
    guard let free = status.freeDiskBytes else { return nil }
    let detail = "\(Formatting.bytes(free)) free for the data folder"
    guard free < leastDisk else { return .right("disk", detail) }
    return .wrong(
      "disk", detail, advice: "Delete jobs that are no longer needed (gptqctl delete), set retention.max_data_bytes, or move data.folder.")
  }

  private static let leastMemory = 256 << 20

  private static func memory(_ status: ServerStatus) -> Finding? {
    guard let available = status.availableMemoryBytes else { return nil }
    let detail = "\(Formatting.bytes(available)) available; jobs may have \(Formatting.bytes(status.limits.memoryBytes)) together"
    // Running jobs have some of it already.
    let isShort = available < leastMemory || status.jobs.running == 0 && available < status.limits.memoryBytes
    guard isShort else { return .right("memory", detail) }
    return .wrong(
      "memory", detail,
      advice: "Other programs have the rest: end some, or lower compute.memory_limit, so that no job is killed for lack of it.")
  }

  private struct Entry: Codable, Sendable { let name: String }

  /// How many models or datasets there are; nil where the server doesn't tell.
  func stock(of kind: String) async -> Finding? {
    guard let entries = try? await client.all(Entry.self, "/v1/\(kind)") else { return nil }
    guard entries.isEmpty else {
      let names = entries.prefix(5).map(\.name).joined(separator: ", ")
      return .right(kind, "\(entries.count): \(names)\(entries.count > 5 ? ", …" : "")")
    }
    let (noun, root) = kind == "models" ? ("model push DIR", "models.roots") : ("dataset push FILE", "datasets.roots")
    return .wrong(kind, "there are none", advice: "gptqctl \(noun) brings one, or put it below \(root) on the server.")
  }
}
