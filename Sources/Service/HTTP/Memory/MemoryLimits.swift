/// What of the daemon's memory requests may take.
package struct MemoryLimits: Sendable, Hashable {
  /// How much more memory than bytes a JSON body can take while it is read (`LoadTests` measures it): strings are copied. Without
  /// `JSONBody.valueLimit` it would be 28, for arrays of arrays.
  package static let parsingFactor = 8
  /// Bodies that are parsed and planned at once.
  package static let planners = 2

  /// Most bytes of a JSON body.
  package let bodyBytes: Int
  /// Bytes of large bodies that wait or come in, and of answers that go out.
  package let budget: Int

  /// - Parameters:
  ///   - bodyBytes: As configured; less where parsing as many could take more than a quarter of the memory.
  ///   - memory: What the daemon may have.
  package init(bodyBytes: Int, memory: Int) {
    self.bodyBytes = max(1024, min(bodyBytes, memory / (4 * Self.planners * Self.parsingFactor)))
    budget = max(2 * self.bodyBytes, memory / 16)
  }
}
