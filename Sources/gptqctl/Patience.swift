import Foundation

/// How long to wait for a server that is gone: it may be restarting, and jobs survive that.
package struct Patience {
  private static let limit = Duration.seconds(600)
  private static let longestPause = Duration.seconds(10)

  private let note: (String) -> Void
  private var pause = Duration.milliseconds(250)
  private var waited = Duration.zero

  init(note: @escaping (String) -> Void = Terminal.note) { self.note = note }

  /// Waits before another try; says why, once.
  ///
  /// - Throws: `error` when it has taken too long.
  mutating func wait(_ reason: String, orThrow error: (any Error)? = nil) async throws {
    if waited == .zero { note(reason) }
    if let error, waited >= Self.limit { throw error }
    // Not all clients of a daemon at once.
    let now = pause * Double.random(in: 0.75...1.25)
    try await Task.sleep(for: now)
    waited += now
    pause = min(pause * 2, Self.longestPause)
  }

  /// The server is there.
  mutating func end() {
    if waited > .zero { note("connected again") }
    self = Patience(note: note)
  }

  /// Does something again and again as long as the server can't be reached.
  mutating func run<Result>(_ body: () async throws -> Result) async throws -> Result {
    while true {
      do {
        let result = try await body()
        end()
        return result
      } catch let error as ClientError {
        guard case .unreachable = error else { throw error }
        try await wait("\(error); waiting for it", orThrow: error)
      }
    }
  }
}
