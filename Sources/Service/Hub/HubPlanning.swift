import JobModel
import JobStore

/// Plans a job whose model wasn't there when it was submitted.
struct HubPlanning {
  let planner: any JobPlanner
  let journal: JobJournal

  /// Does nothing where the job has an estimate: it was planned when it was submitted or at an earlier start.
  ///
  /// - Throws: `Job.Failure` for what a submission would have been refused for.
  func plan(_ job: inout Job, files: JobFiles) throws {
    guard job.estimate == nil else { return }
    let plan: JobPlan
    do {
      plan = try planner.plan(job.request, files: files)
    } catch let problem as Problem {
      throw Job.Failure(
        code: problem.code.rawValue, detail: problem.detail,
        advice: "The model of the Hub stays in the data folder: a new job with other options needs no second download.")
    }
    let warnings = plan.warnings.filter { !job.warnings.contains($0) }
    try journal.planned(plan.estimate, warnings: warnings)
    job.estimate = plan.estimate
    job.warnings += warnings
  }
}
