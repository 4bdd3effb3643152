import Foundation
import JobModel
import JobStore
import Logging
import NIOCore
import ServiceLifecycle

/// How often readers of event streams hear something.
package struct EventTiming: Sendable, Hashable {
  /// A comment when nothing else comes, so that both sides see a dead connection.
  package var heartbeat = Duration.seconds(15)
  /// Least time between two messages about a job's progress.
  package var progress = Duration.seconds(1)
  /// Least time between two looks into the database, for all readers together.
  package var refresh = Duration.milliseconds(50)
  /// For readers to take what is left when the daemon stops.
  package var farewell = Duration.seconds(1)
}

/// The jobs that are being watched. One look into the database for each change, however many readers there are.
actor LiveFeeds: Service {
  private let repository: JobRepository
  private let changes: StoreChanges
  private let timing: EventTiming
  private let logger: Logger
  private var feeds: [JobID: JobFeed] = [:]
  /// The last event that was looked at.
  private var position = 0
  private var refreshes = 0
  private var isRefreshing = false
  private var isDraining = false

  /// Until the next try where the database can't be read.
  private static let patience = Duration.seconds(1)

  init(repository: JobRepository, timing: EventTiming, logger: Logger) {
    self.repository = repository
    self.timing = timing
    self.logger = logger
    changes = repository.changes()
  }

  /// Passes changes on until the daemon stops; then tells all readers so.
  func run() async throws {
    let timing = timing
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.refreshOnChange() }
      group.addTask { await self.repeatedly(every: timing.progress) { try $0.publishProgress() } }
      group.addTask {
        await self.repeatedly(every: timing.heartbeat) { log in
          log.beat()
          return true
        }
      }
      await group.waitForAll()
    }
    await refresh()
    isDraining = true
    for feed in feeds.values { feed.end(.draining) }
    let deadline = ContinuousClock.now + timing.farewell
    while !feeds.isEmpty, ContinuousClock.now < deadline {
      guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { break }
    }
    for feed in feeds.values { feed.cutOff() }
  }

  private func refreshOnChange() async {
    for await _ in changes.wakes.cancelOnGracefulShutdown() {
      // What comes meanwhile is one change. Ends early when the daemon stops.
      let pause = await refresh() ? timing.refresh : Self.patience
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
    }
  }

  private func repeatedly(every interval: Duration, _ change: @Sendable (inout EventLog) throws -> Bool) async {
    while true {
      do {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
      } catch {
        return
      }
      for (id, feed) in feeds { apply(to: feed, of: id, change) }
    }
  }

  /// - Returns: false where the database can't be read.
  @discardableResult
  private func refresh() async -> Bool {
    let batch = changes.take()
    refreshes += 1
    guard !feeds.isEmpty else { return true }
    isRefreshing = true
    defer { isRefreshing = false }
    do {
      let update = try await repository.update(batch, of: Set(feeds.keys), after: position)
      position = update.position
      distribute(update)
      return true
    } catch {
      logger.error("those who watch jobs aren't told of a change yet", metadata: ["error": "\(error)"])
      changes.putBack(batch)
      return false
    }
  }

  private func distribute(_ update: JobRepository.Update) {
    let events = Dictionary(grouping: update.events, by: \.job)
    let jobs = Dictionary(update.jobs.map { ($0.id, $0) }) { $1 }
    for id in Set(events.keys).union(jobs.keys) {
      guard let feed = feeds[id] else { continue }
      apply(to: feed, of: id) { log in
        for event in events[id] ?? [] { try log.append(event) }
        let isNews = try jobs[id].map { try log.take($0) } ?? false
        return isNews || events[id] != nil
      }
    }
    for id in update.deleted { feeds[id]?.end(.deleted) }
  }

  private func apply(to feed: JobFeed, of id: JobID, _ change: (inout EventLog) throws -> Bool) {
    do {
      try feed.change(change)
    } catch {
      logger.error("a change of a job can't be shown to its watchers", metadata: ["job": "\(id)", "error": "\(error)"])
    }
  }

  /// Sends a job's events to a reader until the job ends, the daemon stops or the reader goes.
  ///
  /// - Parameters:
  ///   - sequence: The last event that the reader has.
  ///   - channel: Of the reader's connection.
  ///   - earlier: Reads some of the events after a number.
  nonisolated func send(
    _ id: JobID, after sequence: Int, on channel: any Channel, earlier: (Int) async throws -> [JobEvent],
    write: (ByteBuffer) async throws -> Void
  ) async throws {
    let (feed, reader) = try await enter(id, channel)
    do {
      try await feed.send(to: reader, from: .init(after: sequence), earlier: earlier, write: write)
    } catch {
      await leave(id, feed, reader)
      throw error
    }
    await leave(id, feed, reader)
  }

  private func enter(_ id: JobID, _ channel: any Channel) async throws -> (JobFeed, reader: Int) {
    while true {
      if let feed = feeds[id] { return (feed, feed.enter(channel)) }
      let seen = refreshes
      guard let snapshot = try await repository.snapshot(of: id, limit: EventLog.firstEntries) else { throw Problem.jobNotFound(id.text) }
      // Another reader may have come first; a change may have come after the snapshot, and would be missed.
      guard feeds[id] == nil, refreshes == seen, !isRefreshing else { continue }
      let feed = JobFeed(try EventLog(snapshot.job, events: snapshot.events, hasEarlier: snapshot.hasEarlier))
      if feeds.isEmpty { position = snapshot.position }
      if isDraining { feed.end(.draining) }
      feeds[id] = feed
      return (feed, feed.enter(channel))
    }
  }

  private func leave(_ id: JobID, _ feed: JobFeed, _ reader: Int) {
    feed.leave(reader)
    if feed.isEmpty, feeds[id] === feed { feeds[id] = nil }
  }
}
