import JobStore
import Synchronization

/// What the daemon counts in memory since it started.
final class ServiceMetrics: Sendable {
  struct RequestLabels: Hashable { let route: String, method: String, status: Int }
  struct RouteLabels: Hashable { let route: String, method: String }

  private struct State {
    var requests: [RequestLabels: Int] = [:]
    var requestSeconds: [RouteLabels: Histogram] = [:]
    var refused: [Int: Int] = [:]
    var transactions: [TransactionKind: Histogram] = [:]
  }

  private let state = Mutex(State())
  private let openConnections = Atomic<Int>(0)
  private let connections = Atomic<Int>(0)
  private let connectionLimit = Atomic<Int>(0)

  private static let requestBuckets: Buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60]
  private static let transactionBuckets: Buckets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

  /// - Parameter seconds: Until the answer began.
  func answered(_ labels: RequestLabels, after seconds: Double) {
    state.withLock { state in
      state.requests[labels, default: 0] += 1
      state.requestSeconds[RouteLabels(route: labels.route, method: labels.method), default: Histogram(Self.requestBuckets)]
        .observe(seconds)
    }
  }

  func refused(status: Int) { state.withLock { $0.refused[status, default: 0] += 1 } }

  @Sendable func transaction(_ kind: TransactionKind, _ duration: Duration) {
    state.withLock { $0.transactions[kind, default: Histogram(Self.transactionBuckets)].observe(duration / .seconds(1)) }
  }

  func connectionOpened() {
    connections.add(1, ordering: .relaxed)
    openConnections.add(1, ordering: .relaxed)
  }

  func connectionClosed() { openConnections.subtract(1, ordering: .relaxed) }

  func limitConnections(to limit: Int) { connectionLimit.store(limit, ordering: .relaxed) }

  func write(to exposition: inout Exposition) {
    let (requests, seconds, refused, transactions) = state.withLock { ($0.requests, $0.requestSeconds, $0.refused, $0.transactions) }
    exposition.add(
      .requests,
      requests.map { ([$0.key.route, $0.key.method, "\($0.key.status)"], Double($0.value)) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
    )
    exposition.add(
      .requestSeconds, seconds.map { ([$0.key.route, $0.key.method], $0.value) }.sorted { $0.0.lexicographicallyPrecedes($1.0) })
    exposition.add(.refusedRequests, refused.sorted { $0.key < $1.key }.map { (["\($0.key)"], Double($0.value)) })
    exposition.add(.connections, Double(connections.load(ordering: .relaxed)))
    exposition.add(.openConnections, Double(openConnections.load(ordering: .relaxed)))
    exposition.add(.connectionLimit, Double(connectionLimit.load(ordering: .relaxed)))
    exposition.add(
      .transactionSeconds,
      TransactionKind.allCases.map { ([$0.rawValue], transactions[$0] ?? Histogram(Self.transactionBuckets)) })
  }
}
