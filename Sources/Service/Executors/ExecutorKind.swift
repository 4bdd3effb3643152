import Cluster
import JobModel

/// Where a daemon's jobs run.
public enum ExecutorKind: String, Sendable, CaseIterable {
  /// In the daemon.
  case local
  /// On the nodes of a cluster.
  case slurm
}

extension ServiceConfiguration {
  /// Checks what a request asks of the place where jobs run.
  ///
  /// - Throws: `Problem` (422) that names the fields.
  func checkResources(_ asked: SlurmRequest?, nodes: Int?) throws(Problem) {
    guard executor == .local else { return try slurm.check(asked, nodes: nodes) }
    let hint = "this server computes jobs itself (compute.executor is local); leave it out"
    var errors: [Problem.FieldError] = []
    if asked != nil { errors.append(.init(pointer: "/slurm", detail: "can't be had: \(hint)")) }
    if let nodes, nodes > 1 { errors.append(.init(pointer: "/nodes", detail: "must be 1: \(hint)")) }
    guard errors.isEmpty else { throw Problem.invalidRequest(errors) }
  }

  /// Bytes that a job is planned with; on a cluster that doesn't say, as many as it takes.
  public func plannedMemory(of request: JobRequest) -> Int {
    executor == .local ? EngineLimits(self).memory : slurm.memory(of: request) ?? .max
  }

  /// Jobs that the scheduler has in hand at once.
  var jobsAtOnce: Int { executor == .local ? workers : slurm.jobs }
}
