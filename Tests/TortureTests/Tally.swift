import JobModel
import Synchronization

/// Counts and collects what happens in concurrent tasks.
final class Tally: Sendable {
  private let state = Mutex((count: 0, jobs: Set<JobID>()))

  var count: Int { state.withLock { $0.count } }
  var jobs: Set<JobID> { state.withLock { $0.jobs } }

  func add() { state.withLock { $0.count += 1 } }
  func note(_ job: JobID) { state.withLock { _ = $0.jobs.insert(job) } }
}
