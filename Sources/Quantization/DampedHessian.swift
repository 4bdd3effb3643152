import LinearAlgebra

/// A Hessian that was made positive definite by damping, factored in processing order; shared by the linears of a stage.
package struct DampedHessian: Sendable {
  package enum Factor: Sendable {
    case float32(ReverseCholesky<Float>)
    case float64(ReverseCholesky<Double>)
  }

  package let factor: Factor
  package let order: ColumnOrder
  /// Fraction of the mean diagonal.
  package let damping: Double
  /// What was added to the diagonal.
  package let addedDiagonal: Double
  /// Columns whose inputs are all 0: H_jj is taken as 1 and the weights as 0.
  package let deadColumns: [Int]
  package let attempts: [Attempt]

  /// Every try failed; the last one's cause is `incurable`.
  package struct Failure: Error, Sendable {
    package let attempts: [Attempt]
  }

  /// Tries the first damping in the ladder's precision, then in float64, then the rest of the ladder in float64.
  ///
  /// - Parameters:
  ///   - hessian: H [n, n], finite, both triangles.
  ///   - ladder: Fractions of the mean diagonal, rising, not empty.
  /// - Throws: `Failure`.
  package init(_ hessian: Matrix<Double>, options: QuantizationOptions, ladder: DampingLadder) throws(Failure) {
    let columns = hessian.columns
    var diagonal = hessian.diagonal
    deadColumns = diagonal.indices.filter { diagonal[$0] == 0 }
    for column in deadColumns { diagonal[column] = 1 }
    order = ColumnOrder(options.ordering, importance: diagonal, groupLength: options.groupLength(columns: columns))
    let mean = diagonal.reduce(0, +) / Double(max(1, columns))
    var trials = FactorizationTrials(hessian: hessian, diagonal: diagonal, meanDiagonal: mean, order: order.columns)
    (factor, damping) = try Self.climb(ladder, &trials)
    attempts = trials.attempts
    addedDiagonal = damping * mean
  }

  private static func climb(_ ladder: DampingLadder, _ trials: inout FactorizationTrials) throws(Failure) -> (Factor, Double) {
    let first = ladder.steps[0]
    if ladder.precision == .float32, let factor = trials.run(Float.self, damping: first) { return (.float32(factor), first) }
    for damping in ladder.steps {
      if let factor = trials.run(Double.self, damping: damping) {
        if damping == first { trials.blameRounding() }
        return (.float64(factor), damping)
      }
    }
    trials.giveUp()
    throw Failure(attempts: trials.attempts)
  }
}

/// The dampings that are tried, as fractions of the mean diagonal (NUMERICS section 7).
package struct DampingLadder: Sendable, Hashable {
  package let steps: [Double]
  /// Of the first try.
  package let precision: Attempt.Precision

  private static let geometric = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]

  /// `first`, then the geometric steps above it.
  package init(startingAt first: Double, precision: Attempt.Precision = .float32) {
    steps = [first] + Self.geometric.filter { $0 > first }
    self.precision = precision
  }
}

/// Factors one Hessian with one damping after the other and remembers how each went.
private struct FactorizationTrials {
  let hessian: Matrix<Double>
  let diagonal: [Double]
  let meanDiagonal: Double
  let order: [Int]
  private(set) var attempts: [Attempt] = []

  init(hessian: Matrix<Double>, diagonal: [Double], meanDiagonal: Double, order: [Int]) {
    self.hessian = hessian
    self.diagonal = diagonal
    self.meanDiagonal = meanDiagonal
    self.order = order
  }

  mutating func run<Scalar: BLASScalar>(_ type: Scalar.Type, damping: Double) -> ReverseCholesky<Scalar>? {
    let clock = ContinuousClock()
    let start = clock.now
    let precision: Attempt.Precision = Scalar.self == Float.self ? .float32 : .float64
    let damped: Matrix<Scalar> = permuted(adding: damping * meanDiagonal)
    func record(_ cause: Attempt.Cause?, info: Int, smallestPivot: Double?, reciprocalCondition: Double?) {
      attempts.append(
        Attempt(
          number: attempts.count + 1, cause: cause, damping: damping, precision: precision, info: info, smallestPivot: smallestPivot,
          reciprocalCondition: reciprocalCondition, seconds: (clock.now - start) / .seconds(1)))
    }
    do {
      let factor = try ReverseCholesky(damped)
      record(nil, info: 0, smallestPivot: Double(factor.smallestPivot), reciprocalCondition: Double(factor.reciprocalCondition))
      return factor
    } catch {
      switch error {
      case .notPositiveDefinite(let order, let smallestPivot):
        record(.rankDeficient, info: order, smallestPivot: smallestPivot, reciprocalCondition: nil)
      case .notFinite:
        record(.rankDeficient, info: 1, smallestPivot: nil, reciprocalCondition: nil)
      }
      return nil
    }
  }

  /// The float64 try at the same damping succeeded.
  mutating func blameRounding() {
    for index in attempts.indices where attempts[index].precision == .float32 { attempts[index].cause = .rounding }
  }

  mutating func giveUp() { attempts[attempts.count - 1].cause = .incurable }

  private func permuted<Scalar: BLASScalar>(adding damping: Double) -> Matrix<Scalar> {
    let size = hessian.columns
    var result = Matrix<Scalar>(rows: size, columns: size)
    result.withMutableView { result in
      hessian.withView { hessian in
        forEachSlice(of: size, minimum: 16) { rows in
          for row in rows {
            let source = hessian.base + order[row] * hessian.rowStride
            for column in 0..<size { result[row, column] = Scalar(source[order[column]]) }
            result[row, row] = Scalar(diagonal[order[row]] + damping)
          }
        }
      }
    }
    return result
  }
}
