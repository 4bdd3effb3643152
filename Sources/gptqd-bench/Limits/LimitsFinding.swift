/// What the machine does at most, and the parts of a job beside it.
struct LimitsFinding: Finding {
  let lines: [Line]

  struct Line: Encodable, Sendable {
    let name: String
    let seconds: Spread
    /// Operations a second, 10⁹: floating-point ones, or weights.
    let rate: Double
    let unit: Unit
    /// Of sgemm: its rate; for weights, the time beside that of solving them at sgemm's rate.
    let share: Double

    enum Unit: String, Encodable, Sendable {
      case flops = "GFLOP/s"
      case weights = "Gweight/s"
    }

    /// - Parameter flops: Of one run.
    init(_ name: String, flops: Double, _ seconds: Spread, peak: ProductPeak) {
      self.name = name
      self.seconds = seconds
      rate = flops / seconds.median / 1e9
      unit = .flops
      share = rate / peak.gigaflops
    }

    /// Something done to every weight of a linear.
    ///
    /// - Parameter solverFlops: Of quantizing the linear.
    init(_ name: String, weights: Int, solverFlops: Double, _ seconds: Spread, peak: ProductPeak) {
      self.name = name
      self.seconds = seconds
      rate = Double(weights) / seconds.median / 1e9
      unit = .weights
      share = seconds.median / (solverFlops / peak.gigaflops / 1e9)
    }
  }

  let key = "limits"
  let heading = "Limits and parts"
  let goals: [Goal] = []

  var table: TextTable {
    var table = TextTable(["part"] + Spread.headings + ["rate", "", "of sgemm"])
    for line in lines {
      table.add(
        [line.name] + line.seconds.cells + [
          line.rate.rounded(decimals: line.unit == .flops ? 1 : 2), line.unit.rawValue,
          line.share.asPercentage + (line.unit == .weights ? " of solving" : ""),
        ])
    }
    return table
  }

  private enum CodingKeys: CodingKey { case lines }
}
