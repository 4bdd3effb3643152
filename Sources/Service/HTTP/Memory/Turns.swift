import Synchronization

/// Lets only a few at a time do something that takes memory or a processor; others wait in the order in which they came.
final class Turns: Sendable {
  private struct State {
    var free: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
    /// Of `waiting`, those before it have had their turn.
    var first = 0
  }

  private let state: Mutex<State>
  private let waitingLimit: Int

  /// - Parameters:
  ///   - width: How many at a time.
  ///   - waiting: How many may wait.
  init(width: Int, waiting: Int) {
    state = Mutex(State(free: width))
    waitingLimit = waiting
  }

  /// - Throws: `Refusal` (429) where too many wait, and what `body` throws.
  func run<Result>(_ body: () async throws -> sending Result) async throws -> sending Result {
    try await begin()
    defer { end() }
    return try await body()
  }

  private func begin() async throws(Refusal) {
    let isRefused = state.withLock { $0.free == 0 && $0.waiting.count - $0.first >= waitingLimit }
    if isRefused { throw .busy("\(waitingLimit) requests wait already") }
    await withCheckedContinuation { continuation in
      let hasTurn = state.withLock { state in
        guard state.free == 0 else {
          state.free -= 1
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if hasTurn { continuation.resume() }
    }
  }

  private func end() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.first < state.waiting.count else {
        (state.waiting, state.first) = ([], 0)
        state.free += 1
        return nil
      }
      defer { state.first += 1 }
      return state.waiting[state.first]
    }
    next?.resume()
  }
}
