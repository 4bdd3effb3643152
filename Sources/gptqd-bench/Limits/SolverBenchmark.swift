import LinearAlgebra
import Quantization

/// Measures what a job does to one linear once its Hessian is there: damping, factorisation, recurrence, loss.
struct SolverBenchmark {
  let peak: ProductPeak
  let runs: Int?

  private static let hidden = ModelShape.qwen2(blocks: 1).hidden
  private static let intermediate = ModelShape.qwen2(blocks: 1).intermediate

  /// n³/3 + m·n².
  static func flops(rows: Int, columns: Int) -> Double {
    cube(columns) / 3 + Double(rows) * Double(columns) * Double(columns)
  }

  func measure() throws -> SolverFinding {
    let square = try lines(rows: [Self.hidden, Self.intermediate], columns: Self.hidden)
    return SolverFinding(lines: square + (try lines(rows: [Self.hidden], columns: Self.intermediate)))
  }

  private func lines(rows: [Int], columns: Int) throws -> [SolverFinding.Line] {
    let hessian = Self.hessian(columns: columns)
    return try rows.flatMap { rows in
      let weight = Matrix.random(rows: rows, columns: columns, seed: 2)
      return try [false, true].map { try line(weight, hessian, optional: $0) }
    }
  }

  private func line(_ weight: Matrix<Float>, _ hessian: SymmetricMatrix, optional: Bool) throws -> SolverFinding.Line {
    let options = QuantizationOptions(
      bits: 4, groupSize: 128, damping: Self.damping, searchesScales: optional, refinesScales: optional)
    let name = "\(weight.rows) × \(weight.columns), \(optional ? "search and refinement" : "plain")"
    Report.note("solving \(name)")
    var factorSeconds: [Double] = []
    let seconds = try Spread(runs: runs) {
      let start = ContinuousClock.now
      let damped = try DampedHessian(hessian, options: options, ladder: DampingLadder(startingAt: Self.damping))
      factorSeconds.append((ContinuousClock.now - start) / .seconds(1))
      _ = try damped.quantize(weight, options: options, layer: name)
    }
    let limit = Self.flops(rows: weight.rows, columns: weight.columns) / peak.gigaflops / 1e9
    return SolverFinding.Line(
      name: name, seconds: seconds, factorSeconds: Spread(factorSeconds).median, limit: limit, timesLimit: seconds.median / limit,
      shareOfPeak: limit / seconds.median, isPlain: !optional)
  }

  private static let damping = 0.1
  /// Directions of the Hessians: few, so that large ones are made quickly.
  private static let rank = 1024

  /// XᵀX of few random rows: nothing like diagonal, and positive definite once it is damped.
  private static func hessian(columns: Int) -> SymmetricMatrix {
    var accumulator = HessianAccumulator(columns: columns)
    accumulator.add(.random(rows: rank, columns: columns, seed: 1))
    return accumulator.hessian()
  }

  /// A Hessian of that kind with its damping.
  static func dampedMatrix(columns: Int) -> Matrix<Float> {
    let hessian = hessian(columns: columns)
    let diagonal = hessian.diagonal
    let mean = diagonal.reduce(0, +) / Double(columns)
    return hessian.permuted(Array(0..<columns), diagonal: diagonal.map { $0 + damping * mean })
  }
}

/// Seconds of the solver beside those that its operations take at sgemm's peak.
struct SolverFinding: Finding {
  let lines: [Line]

  struct Line: Encodable, Sendable {
    let name: String
    let seconds: Spread
    /// Damping and factorisation, of `seconds`.
    let factorSeconds: Double
    /// (n³/3 + m·n²) ÷ sgemm's peak, in seconds.
    let limit: Double
    let timesLimit: Double
    let shareOfPeak: Double
    /// Without search and refinement.
    let isPlain: Bool
  }

  let key = "solver"
  let heading = "Solver alone, outputs × inputs, 4 bits, group 128"

  var goals: [Goal] {
    lines.filter(\.isPlain).map { Goal("\($0.name), times the limit", $0.timesLimit, .atMost, 2) }
  }

  var table: TextTable {
    var table = TextTable(["linear"] + Spread.headings + ["factor s", "limit s", "× limit", "of sgemm"])
    for line in lines {
      table.add(
        [line.name] + line.seconds.cells + [
          line.factorSeconds.asSeconds, line.limit.asSeconds, line.timesLimit.rounded(decimals: 2), line.shareOfPeak.asPercentage,
        ])
    }
    return table
  }

  private enum CodingKeys: CodingKey { case lines }
}
