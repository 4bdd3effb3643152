import Service
import Synchronization
import Testing

@Suite struct CachedTests {
  private final class Source: Sendable {
    let calls = Mutex(0)
    let (begun, begin) = AsyncStream.makeStream(of: Void.self)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)

    /// Waits until the gate is opened.
    @Sendable func find() async throws -> Int {
      let call = calls.withLock { calls in
        calls += 1
        return calls
      }
      begin.yield()
      for await _ in gate { break }
      return call
    }
  }

  @Test func whoAsksMeanwhileGetsTheSame() async throws {
    let source = Source()
    let cached = Cached(for: .seconds(3600), find: source.find)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<50 { group.addTask { try await cached.value } }
      for await _ in source.begun { break }
      source.open.finish()
      for try await value in group { #expect(value == 1) }
    }
    #expect(try await cached.value == 1)
  }

  @Test func whatIsTooOldIsFoundAnew() async throws {
    let source = Source()
    source.open.finish()
    let cached = Cached(for: .zero, find: source.find)
    for call in 1...3 { #expect(try await cached.value == call) }
  }

  @Test func aFailureIsNotKept() async throws {
    struct Wrong: Error {}
    let calls = Mutex(0)
    let cached = Cached<Int>(for: .seconds(3600)) {
      let call = calls.withLock { calls in
        calls += 1
        return calls
      }
      guard call > 1 else { throw Wrong() }
      return call
    }
    await #expect(throws: Wrong.self) { try await cached.value }
    #expect(try await cached.value == 2)
    #expect(try await cached.value == 2)
  }
}
