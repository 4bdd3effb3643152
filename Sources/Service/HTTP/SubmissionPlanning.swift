import Foundation
import JobModel
import JobRunner

/// From the body of a submission to a checked request and its plan.
struct SubmissionPlanning: Sendable {
  let catalog: ResourceCatalog
  let planner: any JobPlanner
  let hub: HubSource
  let configuration: ServiceConfiguration
  /// Threads that bodies are parsed and jobs planned on: others than those of downloads.
  let pool: WorkerPool
  let planning: Turns
  /// For those who wait for the Hub, so that others needn't.
  private let asking = Turns(width: 4, waiting: 64)

  init(
    catalog: ResourceCatalog, planner: any JobPlanner, hub: HubSource, configuration: ServiceConfiguration, pool: WorkerPool,
    planning: Turns
  ) {
    (self.catalog, self.planner, self.hub, self.pool, self.planning) = (catalog, planner, hub, pool, planning)
    self.configuration = configuration
  }

  /// - Throws: `Problem`, `Refusal`.
  func plan(_ body: JSONBody) async throws -> (JobRequest, JobPlan) {
    let (pool, catalog, planner, hub, configuration) = (pool, catalog, planner, hub, configuration)
    let (request, plan) = try await planning.run {
      try await pool.run { () -> (JobRequest, JobPlan?) in
        let request = try JobRequest(parsing: body.value())
        try configuration.webhookHosts.check(request)
        try configuration.checkResources(request.slurm, nodes: request.nodes)
        guard case .name = request.model else { return (request, nil) }
        return (request, try planner.plan(request, files: catalog.files(of: request)))
      }
    }
    if let plan { return (request, plan) }
    guard case .hub(let reference) = request.model else { throw Problem.invalidModel("there is no model") }
    let pin = try await asking.run { try await pool.run { try hub.pin(reference) } }
    return try await planning.run { try await pool.run { try self.plan(request, pin) } }
  }

  /// All of the plan, where the model is there; else what its configuration tells.
  private func plan(_ request: JobRequest, _ pin: HubSource.Pin) throws -> (JobRequest, JobPlan) {
    var request = request
    request.model = .hub(pin.reference)
    if let snapshot = pin.snapshot { return (request, try planner.plan(request, files: catalog.files(of: request, snapshot: snapshot))) }
    // The datasets are to be there.
    _ = try catalog.files(of: request, snapshot: hub.dataFolder)
    if let configuration = pin.configuration { try planner.check(request, configuration: configuration) }
    return (request, JobPlan(layers: [], warnings: [pin.warning].compactMap(\.self)))
  }
}
