import JobModel
import JobRunner
import JobStore

/// Gets what a job reads to where it runs.
struct JobInputs: Sendable {
  let hub: HubSource
  let catalog: ResourceCatalog
  let planner: any JobPlanner

  /// - Returns: The job with what was found out of its model; its files, which stay as long as the lease is held.
  /// - Throws: `Job.Failure`, `CancellationError`.
  func get(for job: Job, _ cancellation: CancellationFlag, _ journal: JobJournal) throws -> (Job, JobFiles, HubStore.Lease?) {
    var job = job
    let lease = try hub.fetch(&job, cancellation, journal)
    let files: JobFiles
    do {
      files = try catalog.files(of: job.request, snapshot: lease?.url)
    } catch {
      throw Job.Failure(code: error.code.rawValue, detail: error.detail, advice: "Put it back, then retry the job.")
    }
    if lease != nil { try HubPlanning(planner: planner, journal: journal).plan(&job, files: files) }
    return (job, files, lease)
  }
}
