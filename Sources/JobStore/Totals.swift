import Foundation
import GRDB
import JobModel
import StrictJSON

/// What is counted over all jobs that there ever were, deleted ones included.
public enum Total: String, Sendable, CaseIterable {
  case jobsSubmitted = "jobs_submitted"
  /// By the status that a job came into.
  case jobTransitions = "job_transitions"
  /// By cause and outcome.
  case attempts
  /// Histogram of a layer's own seconds, by kind and stage.
  case layerSeconds = "layer_seconds"
  /// Histogram of the damping that worked.
  case layerDamping = "layer_damping"
  /// Of jobs that succeeded.
  case calibrationTokens = "calibration_tokens"
  /// Attempts that a cluster's scheduler took.
  case submissions
  /// Attempts that were lost, so that their jobs were queued again.
  case requeues
  /// Attempts of which nothing counts any more, whatever they do.
  case fencedAttempts = "fenced_attempts"

  /// Of a histogram; nil: a plain sum.
  public var buckets: Buckets? {
    switch self {
    case .layerSeconds: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000]
    // The steps of the damping ladder.
    case .layerDamping: [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    case .jobsSubmitted, .jobTransitions, .attempts, .calibrationTokens, .submissions, .requeues, .fencedAttempts: nil
    }
  }
}

/// Upper bounds of a histogram's buckets, rising; one more bucket has no bound.
public struct Buckets: Sendable, Hashable, ExpressibleByArrayLiteral {
  public let bounds: [Double]

  public init(arrayLiteral bounds: Double...) { self.bounds = bounds }

  /// The bucket that a value falls into, from 0.
  public func index(of value: Double) -> Int { bounds.firstIndex { value <= $0 } ?? bounds.count }
}

/// The value of a total for one combination of labels.
public struct TotalRow: Sendable, Hashable {
  public let total: Total
  public let labels: [String]
  public let value: Double
}

extension TotalRow {
  /// The last label of a histogram's row that has the sum of all its values.
  public static let sumLabel = "sum"
}

extension Database {
  /// Adds to a sum.
  func count(_ total: Total, _ labels: [String] = [], by value: Double = 1) throws {
    try execute(
      sql: "INSERT INTO totals (name, labels, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
      arguments: [total.rawValue, JSONValue.array(labels.map { .string($0) }).serialized(), value])
  }

  /// Adds a value to a histogram.
  func observe(_ value: Double, in total: Total, _ labels: [String] = []) throws {
    guard let buckets = total.buckets else { return }
    let index = buckets.index(of: value)
    try count(total, labels + [index < buckets.bounds.count ? "\(buckets.bounds[index])" : "+Inf"])
    try count(total, labels + [TotalRow.sumLabel], by: value)
  }

  /// Counts a finished layer.
  func countLayer(_ layer: LayerRecord) throws {
    guard layer.state == .done else { return }
    let kind = ModuleKind(ofLayer: layer.name)
    if let seconds = layer.seconds { try observe(seconds, in: .layerSeconds, [kind.name, kind.stage.rawValue]) }
    if let damping = layer.damping { try observe(damping, in: .layerDamping) }
  }

  func totals() throws -> [TotalRow] {
    try Row.fetchAll(self, sql: "SELECT name, labels, value FROM totals").compactMap { row in
      guard let total = Total(rawValue: row["name"]) else { return nil }
      let labels: String = row["labels"]
      guard case .array(let values) = try JSONValue(parsing: labels) else { return nil }
      return TotalRow(total: total, labels: values.compactMap(\.stringValue), value: row["value"])
    }
  }
}
