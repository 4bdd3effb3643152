import Foundation
import GRDB
import JobModel

/// What identifies a layer's Hessian over jobs.
public struct DampingContext: Sendable, Hashable {
  /// Fingerprint of the model's files.
  public var model: String
  /// Fingerprint of the calibration data and how it is cut; empty where there is none.
  public var calibration: String
  /// Where the ladder starts, as a fraction of the mean diagonal.
  public var dampPercent: Double

  public init(model: String, calibration: String, dampPercent: Double) {
    self.model = model
    self.calibration = calibration
    self.dampPercent = dampPercent
  }
}

/// Damping that worked for a layer.
public struct KnownDamping: Sendable, Hashable {
  /// Fraction of the mean diagonal.
  public var damping: Double
  public var precision: AttemptRecord.Precision

  public init(damping: Double, precision: AttemptRecord.Precision) {
    self.damping = damping
    self.precision = precision
  }
}

extension JobJournal {
  /// What worked for a layer in the last job that had to go beyond the first try, if that ended before a moment: a job that is
  /// interrupted shall go on with what was known when it began.
  public func knownDamping(of layer: String, in context: DampingContext, before moment: Date) throws -> KnownDamping? {
    try database.read { database in
      let row = try Row.fetchOne(
        database,
        sql:
          "SELECT damping, precision FROM damping_history WHERE model = ? AND calibration = ? AND layer = ? AND damp_percent = ? AND at <= ?",
        arguments: [context.model, context.calibration, layer, context.dampPercent, APICoding.text(moment)])
      guard let row, let precision = AttemptRecord.Precision(rawValue: row["precision"]) else { return nil }
      return KnownDamping(damping: row["damping"], precision: precision)
    }
  }

  /// Remembers what worked for a layer after its first try had failed.
  public func remember(_ known: KnownDamping, for layer: String, in context: DampingContext) throws {
    try write { database in
      try database.execute(
        sql: """
          INSERT OR REPLACE INTO damping_history (model, calibration, layer, damp_percent, damping, precision, job, at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          context.model, context.calibration, layer, context.dampPercent, known.damping, known.precision.rawValue, job.text,
          APICoding.text(Date()),
        ])
    }
  }
}
