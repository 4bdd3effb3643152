import Foundation
import JobModel
import JobStore
import Logging

/// Deletes snapshots that no waiting or running job uses.
struct HubRetention: Sendable {
  let store: HubStore
  let repository: JobRepository
  let logger: Logger

  /// Removes what wasn't used for long, and parts of downloads that no job goes on with.
  ///
  /// - Parameter age: Since the last use; nil: for ever.
  func apply(age: Duration?, now: Date) async throws {
    let (uses, entries) = (try await repository.hubUses(), store.entries())
    for entry in entries where !Self.isUsed(entry, uses) {
      if entry.isPartial, !uses.contains(where: { Self.isOf($0, entry) }) {
        remove(entry, because: "no job goes on with it")
      } else if let age, now.timeIntervalSince(entry.lastUse) > age / .seconds(1) {
        remove(entry, because: "retention.days")
      }
    }
  }

  /// Removes those that were used longest ago until there is as much room as asked for.
  ///
  /// - Returns: Bytes that were freed.
  func makeRoom(_ bytes: Int) async throws -> Int {
    guard bytes > 0 else { return 0 }
    let (uses, entries) = (try await repository.hubUses(), store.entries())
    var freed = 0
    for entry in entries.sorted(by: { $0.lastUse < $1.lastUse }) where freed < bytes && !Self.isUsed(entry, uses) {
      if remove(entry, because: "retention.max_data_bytes") { freed += entry.size }
    }
    return freed
  }

  private static func isOf(_ use: HubUse, _ entry: HubStore.Entry) -> Bool {
    use.reference.hub == entry.repository && (use.reference.commit ?? entry.commit) == entry.commit
  }

  private static func isUsed(_ entry: HubStore.Entry, _ uses: [HubUse]) -> Bool { uses.contains { $0.isActive && isOf($0, entry) } }

  @discardableResult private func remove(_ entry: HubStore.Entry, because reason: String) -> Bool {
    guard store.remove(entry) else { return false }
    logger.notice(
      "model of the Hub deleted",
      metadata: ["model": "\(entry.repository)", "commit": "\(entry.commit)", "because": "\(reason)", "bytes": "\(entry.size)"])
    return true
  }
}
