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
  package let log: AttemptLog
  package var attempts: [Attempt] { log.attempts }

  /// Every try failed; the last one's cause is `incurable`.
  package struct Failure: Error, Sendable {
    package let log: AttemptLog
    package var attempts: [Attempt] { log.attempts }
  }

  /// Tries the first damping in the ladder's precision, then in float64, then the rest of the ladder in float64.
  ///
  /// - Parameters:
  ///   - hessian: H [n, n], finite.
  ///   - ladder: Fractions of the mean diagonal, rising, not empty.
  ///   - log: What was tried before; goes on in the result.
  ///   - exhausted: What the last failure's row says is done next.
  /// - Throws: `Failure`.
  package init(
    _ hessian: SymmetricMatrix, options: QuantizationOptions, ladder: DampingLadder, log: AttemptLog = AttemptLog(),
    exhausted: Attempt.Remedy = .fail
  ) throws(Failure) {
    let columns = hessian.size
    var diagonal = hessian.diagonal
    deadColumns = diagonal.indices.filter { diagonal[$0] == 0 }
    for column in deadColumns { diagonal[column] = 1 }
    order = ColumnOrder(options.ordering, importance: diagonal, groupLength: options.groupLength(columns: columns))
    let mean = diagonal.reduce(0, +) / Double(max(1, columns))
    var trials = FactorizationTrials(
      hessian: hessian, diagonal: diagonal, meanDiagonal: mean, order: order.columns, log: log, exhausted: exhausted)
    (factor, damping) = try Self.climb(ladder, &trials)
    self.log = trials.log
    addedDiagonal = damping * mean
  }

  private static func climb(_ ladder: DampingLadder, _ trials: inout FactorizationTrials) throws(Failure) -> (Factor, Double) {
    let first = ladder.steps[0]
    if ladder.precision == .float32, let factor = trials.run(Float.self, damping: first, origin: ladder.origin, ifFailed: .float64) {
      return (.float32(factor), first)
    }
    for damping in ladder.steps {
      let origin = damping == first ? ladder.origin : .ladder
      if let factor = trials.run(Double.self, damping: damping, origin: origin, ifFailed: .damping) {
        if damping == first { trials.log.blameRounding() }
        return (.float64(factor), damping)
      }
    }
    trials.log.giveUp(trials.exhausted)
    throw Failure(log: trials.log)
  }
}

/// Factors one Hessian with one damping after the other and remembers how each went.
private struct FactorizationTrials {
  let hessian: SymmetricMatrix
  let diagonal: [Double]
  let meanDiagonal: Double
  let order: [Int]
  var log: AttemptLog
  let exhausted: Attempt.Remedy

  mutating func run<Scalar: BLASScalar>(
    _ type: Scalar.Type, damping: Double, origin: Attempt.Origin, ifFailed remedy: Attempt.Remedy
  ) -> ReverseCholesky<Scalar>? {
    let clock = ContinuousClock()
    let start = clock.now
    let precision: Attempt.Precision = Scalar.self == Float.self ? .float32 : .float64
    func record(_ cause: Attempt.Cause?, info: Int, smallestPivot: Double?, reciprocalCondition: Double?) {
      log.add(
        cause, remedy: cause == nil ? nil : remedy, damping: damping, origin: origin, precision: precision, info: info,
        smallestPivot: smallestPivot, reciprocalCondition: reciprocalCondition, seconds: (clock.now - start) / .seconds(1))
    }
    do {
      let factor: ReverseCholesky<Scalar> = try ReverseCholesky(
        hessian.permuted(order, diagonal: diagonal.map { $0 + damping * meanDiagonal }))
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
}
