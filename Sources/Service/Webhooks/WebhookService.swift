import Foundation
import JobModel
import JobStore
import Logging
import ServiceLifecycle

/// Sends what is in the outbox, again and again until it is delivered or given up. A host that is slow holds up no other.
actor WebhookService: Service {
  /// Messages that are being sent at once, to one host and to all.
  private static let hostLimit = 2
  private static let limit = 64
  /// Until the database is looked into again where it couldn't be.
  private static let patience = Duration.seconds(5)

  private let outbox: WebhookOutbox
  private let hosts: AllowedHosts
  private let timing: WebhookTiming
  private let logger: Logger
  private let client: WebhookClient
  private let wakes: AsyncStream<Void>
  private let (retries, retry) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  private var sending: [String: (authority: String, task: Task<Void, Never>)] = [:]
  private var alarm: Task<Void, any Error>?
  private var isStopping = false

  init(repository: JobRepository, hosts: AllowedHosts, timing: WebhookTiming, logger: Logger) {
    outbox = WebhookOutbox(repository)
    wakes = outbox.wakes()
    (self.hosts, self.timing, self.logger) = (hosts, timing, logger)
    client = WebhookClient(limit: timing.limit)
  }

  func run() async throws {
    let (wakes, retries) = (wakes, retries)
    await withTaskGroup(of: Void.self) { group in
      for stream in [wakes, retries] {
        group.addTask { for await _ in stream.cancelOnGracefulShutdown() { await self.sendDue() } }
      }
    }
    isStopping = true
    alarm?.cancel()
    // What is cut off here was perhaps received; it is sent again after the next start, under the same id.
    for (_, task) in sending.values { task.cancel() }
    for (_, task) in sending.values { await task.value }
  }

  private var isLooking = false
  private var isAskedAgain = false

  private func sendDue() async {
    guard !isLooking else {
      isAskedAgain = true
      return
    }
    isLooking = true
    repeat {
      isAskedAgain = false
      do {
        try await begin()
      } catch {
        logger.error("webhooks wait: the outbox can't be read", metadata: ["error": "\(error)"])
        wake(in: Self.patience)
      }
    } while isAskedAgain
    isLooking = false
  }

  /// Begins to send what is due, as far as the limits allow.
  private func begin() async throws {
    var now = Date()
    while !isStopping, sending.count < Self.limit {
      now = Date()
      let counts = Dictionary(grouping: sending.values, by: \.authority).mapValues(\.count)
      let busy = Set(counts.filter { $0.value >= Self.hostLimit }.keys)
      let items = try await outbox.due(at: now, without: busy, Set(sending.keys), limit: Self.limit)
      guard !items.isEmpty, !isStopping else { break }
      for item in items where sending.count < Self.limit {
        guard sending.values.count(where: { $0.authority == item.url.authority }) < Self.hostLimit else { continue }
        sending[item.id] = (item.url.authority, Task { await self.send(item) })
      }
    }
    // After the same moment: what came due since would be in neither.
    if let next = try await outbox.nextDue(after: now) { wake(in: .seconds(max(0.01, next.timeIntervalSinceNow))) }
  }

  private func wake(in pause: Duration) {
    alarm?.cancel()
    alarm = Task { [retry] in
      try await Task.sleep(for: pause)
      retry.yield()
    }
  }

  private func send(_ item: WebhookOutbox.Item) async {
    let start = Date()
    let result: WebhookResult
    if hosts.allow(item.url) {
      let fields = WebhookSignature.fields(id: item.id, time: start, body: item.body, secret: item.secret)
      result = await client.post(item.body, to: item.url, fields)
    } else {
      result = WebhookResult(error: "webhooks.allowed_hosts doesn't have the host any more")
    }
    // Cut off by the daemon's end: that isn't the receiver's fault.
    if !Task.isCancelled || result.status != nil { await record(result, of: item, start) }
    sending[item.id] = nil
    retry.yield()
  }

  private func record(_ result: WebhookResult, of item: WebhookOutbox.Item, _ start: Date) async {
    let now = Date()
    let attempt = WebhookDelivery.Attempt(at: start, seconds: now.timeIntervalSince(start), status: result.status, error: result.error)
    let verdict = timing.verdict(result, tries: item.tries, at: now)
    var metadata: Logger.Metadata = ["job": "\(item.job)", "webhook": "\(item.id)", "host": "\(item.url.authority)"]
    metadata["error"] = result.error.map { "\($0)" }
    switch verdict {
    case .delivered: logger.info("webhook delivered", metadata: metadata)
    case .failed: logger.error("webhook given up", metadata: metadata)
    case .again(let date): logger.notice("webhook failed; there will be another try", metadata: metadata.merging(["at": "\(date)"]) { $1 })
    }
    do {
      // Also when the daemon stops.
      try await Task { try await outbox.record(attempt, of: item.id, verdict) }.value
    } catch {
      logger.error("a webhook's delivery can't be stored; it is sent again", metadata: metadata.merging(["error": "\(error)"]) { $1 })
      try? await Task.sleep(for: Self.patience)
    }
  }
}
