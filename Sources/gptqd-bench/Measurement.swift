/// How long something takes: the median, least and most of several runs.
struct Measurement {
  let name: String
  /// Floating-point operations of one run, counted at least.
  let flops: Double
  let seconds: [Double]

  /// - Parameter runs: Odd, so that the median is a run; one more comes before, unmeasured.
  init(_ name: String, flops: Double, runs: Int = 3, _ body: () throws -> Void) rethrows {
    let clock = ContinuousClock()
    try body()
    self.name = name
    self.flops = flops
    seconds = try (0..<runs).map { _ in
      let start = clock.now
      try body()
      return (clock.now - start) / .seconds(1)
    }.sorted()
  }

  var median: Double { seconds[seconds.count / 2] }
  /// Floating-point operations a second, in units of 10⁹.
  var gigaflops: Double { flops / median / 1e9 }
}
