import JobModel

/// Tries at layers, one a row, with what was wrong below it.
package struct AttemptTable {
  private let attempts: [AttemptRecord]

  package init(_ attempts: [AttemptRecord]) { self.attempts = attempts }

  package var text: String {
    var table = TextTable([
      ("layer", .left), ("start", .right), ("try", .right), ("outcome", .left), ("cause", .left), ("remedy", .left), ("damping", .left),
      ("precision", .left), ("samples", .right), ("tokens", .right), ("info", .right), ("smallest pivot", .right), ("1/condition", .right),
      ("loss", .right), ("seconds", .right),
    ])
    for attempt in attempts {
      table.add(
        [
          attempt.layer, "\(attempt.jobAttempt)", "\(attempt.number)", attempt.outcome.rawValue, attempt.cause?.rawValue ?? "–",
          attempt.remedy?.rawValue ?? "–", Self.damping(attempt), attempt.precision.rawValue, "\(attempt.samples)", "\(attempt.tokens)",
          "\(attempt.info)", Formatting.significant(attempt.smallestPivot), Formatting.significant(attempt.reciprocalCondition),
          Formatting.significant(attempt.loss), Formatting.fixed(attempt.seconds, 3),
        ], note: attempt.detail)
    }
    return table.text
  }

  private static func damping(_ attempt: AttemptRecord) -> String {
    let value = Formatting.significant(attempt.damping)
    switch attempt.dampingOrigin {
    case .request: return value
    case .history, .ladder: return value + " " + attempt.dampingOrigin.rawValue
    }
  }
}
