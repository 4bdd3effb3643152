/// A value that is found out anew when somebody asks for it and it has become too old; whoever asks meanwhile waits for the same one.
package actor Cached<Value: Sendable> {
  private let age: Duration
  private let find: @Sendable () async throws -> Value
  private var latest: (value: Value, time: ContinuousClock.Instant)?
  private var finding: Task<Value, any Error>?

  package init(for age: Duration, find: @escaping @Sendable () async throws -> Value) {
    self.age = age
    self.find = find
  }

  package var value: Value {
    get async throws {
      if let latest, .now - latest.time < age { return latest.value }
      if let finding { return try await finding.value }
      let task = Task { try await find() }
      finding = task
      defer { finding = nil }
      let value = try await task.value
      latest = (value, .now)
      return value
    }
  }
}
