import NIOCore
import Service
import Testing

@Suite struct FailureLimiterTests {
  private let start = ContinuousClock.now

  @Test func failuresAreCountedByTheMinuteAndToldOnce() {
    let limiter = FailureLimiter(limit: 2)
    let verdicts = [0, 10, 20, 59, 60, 61].map { limiter.failure(from: "a", now: start + .seconds($0)) }
    #expect(verdicts.map(\.logged) == [1, nil, nil, nil, 4, nil])
    #expect(verdicts.map(\.retryAfter) == [nil, nil, .seconds(40), .seconds(1), nil, nil])
    #expect(limiter.failure(from: "b", now: start) == .init(retryAfter: nil, logged: 1))
  }

  @Test func theOldestAddressIsForgotten() {
    let limiter = FailureLimiter(limit: 1, capacity: 3)
    for (second, source) in ["a", "b", "c", "d"].enumerated() { _ = limiter.failure(from: source, now: start + .seconds(second)) }
    #expect(limiter.failure(from: "d", now: start + .seconds(5)).retryAfter != nil)
    #expect(limiter.failure(from: "c", now: start + .seconds(5)).retryAfter != nil)
    #expect(limiter.failure(from: "a", now: start + .seconds(5)).retryAfter == nil)
  }

  @Test(arguments: [
    ("1.2.3.4", "1.2.3.4"), ("::ffff:1.2.3.4", "1.2.3.4"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::1", "0:0:0:0::/64"),
    ("2001:db8:1:2::", "2001:db8:1:2::/64"), ("2001:db8:1:3::", "2001:db8:1:3::/64"),
  ])
  func aClientIsItsAddressOrNetwork(address: String, source: String) throws {
    #expect(FailureLimiter.source(try SocketAddress(ipAddress: address, port: 1)) == source)
  }

  @Test func aClientWithoutAddressHasAName() { #expect(FailureLimiter.source(nil) == "unknown") }
}
