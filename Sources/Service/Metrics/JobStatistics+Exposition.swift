import Foundation
import JobModel
import JobStore

extension JobStatistics {
  /// - Parameter now: For the age of what waits.
  func write(to exposition: inout Exposition, now: Date) {
    exposition.add(.jobs, JobStatus.allCases.map { ([$0.rawValue], Double(jobs[$0] ?? 0)) })
    exposition.add(.runningJobs, Job.Stage.allCases.map { ([$0.rawValue], Double(stages[$0] ?? 0)) })
    exposition.add(.queueLength, Double(jobs[.queued] ?? 0))
    exposition.add(.queueAge, oldestQueuedAt.map { max(0, now.timeIntervalSince($0)) } ?? 0)
    exposition.add(.memoryReserved, Double(plannedMemory))
    exposition.add(.jobsSubmitted, sum(.jobsSubmitted))
    exposition.add(.calibrationTokens, sum(.calibrationTokens))
    exposition.add(.jobTransitions, sums(.jobTransitions, of: JobStatus.allCases.map { [$0.rawValue] }))
    exposition.add(.attempts, sums(.attempts, of: Self.attemptLabels))
    exposition.add(.clusterSubmissions, sum(.submissions))
    exposition.add(.clusterRequeues, sum(.requeues))
    exposition.add(.fencedAttempts, sum(.fencedAttempts))
    exposition.add(.layerSeconds, histograms(.layerSeconds))
    let damping = histograms(.layerDamping)
    exposition.add(.layerDamping, damping.isEmpty ? Total.layerDamping.buckets.map { [([], Histogram($0))] } ?? [] : damping)
  }

  private static let attemptLabels: [[String]] = (AttemptRecord.Cause.allCases.map(\.rawValue) + ["none"]).flatMap { cause in
    [AttemptRecord.Outcome.succeeded, .failed].map { [cause, $0.rawValue] }
  }

  private func sum(_ total: Total) -> Double { totals.filter { $0.total == total }.reduce(0) { $0 + $1.value } }

  /// A sample of each combination of labels, so that rates begin at 0.
  private func sums(_ total: Total, of labels: [[String]]) -> [(labels: [String], value: Double)] {
    let values = Dictionary(totals.filter { $0.total == total }.map { ($0.labels, $0.value) }) { $0 + $1 }
    return labels.map { ($0, values[$0] ?? 0) }
  }

  private func histograms(_ total: Total) -> [(labels: [String], histogram: Histogram)] {
    guard let buckets = total.buckets else { return [] }
    var histograms: [[String]: Histogram] = [:]
    for row in totals where row.total == total {
      guard let part = row.labels.last else { continue }
      histograms[row.labels.dropLast(), default: Histogram(buckets)].add(row.value, at: part)
    }
    return histograms.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
  }
}
