import Foundation
import GRDB
import JobModel

/// What identifies a layer's Hessian over jobs.
public struct DampingContext: Codable, Sendable, Hashable {
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
public struct KnownDamping: Codable, Sendable, Hashable {
  /// Fraction of the mean diagonal.
  public var damping: Double
  public var precision: AttemptRecord.Precision

  public init(damping: Double, precision: AttemptRecord.Precision) {
    self.damping = damping
    self.precision = precision
  }
}

/// Damping that worked, with what it worked for.
public struct DampingHistory: Codable, Sendable, Hashable {
  public var layer: String
  public var context: DampingContext
  public var known: KnownDamping
}

extension JobRepository {
  /// What worked for layers of these names before a moment.
  public func dampingHistory(of layers: [String], before moment: Date) async throws -> [DampingHistory] {
    let names = try APICoding.text(encoding: layers)
    return try await read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT model, calibration, layer, damp_percent, damping, precision FROM damping_history
          WHERE layer IN (SELECT value FROM json_each(?)) AND at <= ?
          """, arguments: [names, APICoding.text(moment)]
      ).compactMap { row in
        guard let precision = AttemptRecord.Precision(rawValue: row["precision"]) else { return nil }
        return DampingHistory(
          layer: row["layer"],
          context: DampingContext(model: row["model"], calibration: row["calibration"], dampPercent: row["damp_percent"]),
          known: KnownDamping(damping: row["damping"], precision: precision))
      }
    }
  }
}

extension Database {
  func knownDamping(of layer: String, in context: DampingContext, before moment: Date) throws -> KnownDamping? {
    let row = try Row.fetchOne(
      self,
      sql:
        "SELECT damping, precision FROM damping_history WHERE model = ? AND calibration = ? AND layer = ? AND damp_percent = ? AND at <= ?",
      arguments: [context.model, context.calibration, layer, context.dampPercent, APICoding.text(moment)])
    guard let row, let precision = AttemptRecord.Precision(rawValue: row["precision"]) else { return nil }
    return KnownDamping(damping: row["damping"], precision: precision)
  }

  func remember(_ known: KnownDamping, for layer: String, in context: DampingContext, of job: JobID, at now: Date) throws {
    try execute(
      sql: """
        INSERT OR REPLACE INTO damping_history (model, calibration, layer, damp_percent, damping, precision, job, at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        context.model, context.calibration, layer, context.dampPercent, known.damping, known.precision.rawValue, job.text,
        APICoding.text(now),
      ])
  }
}
