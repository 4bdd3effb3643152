/// How long several runs of the same took.
package struct Spread: Encodable, Sendable, Equatable {
  /// Seconds.
  package let median: Double
  /// Seconds.
  package let least: Double
  /// Seconds.
  package let most: Double
  package let runs: Int

  /// - Precondition: At least one run.
  package init(_ seconds: [Double]) {
    precondition(!seconds.isEmpty)
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    least = sorted[0]
    most = sorted[sorted.count - 1]
    runs = sorted.count
  }

  /// Runs `body` several times. The first run counts only where it takes more than a second: then cold caches don't matter.
  ///
  /// - Parameters:
  ///   - runs: How many count; nil: three, or one where it takes more than 10 seconds.
  ///   - prepare: Runs before each run, unmeasured.
  package init(runs: Int?, preparing prepare: () -> Void = {}, _ body: () throws -> Void) rethrows {
    func measure() throws -> Double {
      prepare()
      let start = ContinuousClock.now
      try body()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    let first = try measure()
    var seconds = first > 1 ? [first] : []
    let wanted = runs ?? (first > 10 ? 1 : 3)
    while seconds.count < wanted { seconds.append(try measure()) }
    self.init(seconds)
  }

  /// Three cells of a table.
  var cells: [String] { [median, least, most].map(\.asSeconds) }
  static let headings = ["median s", "least", "most"]
}
