/// A job as squeue tells of it.
package struct SlurmJob: Sendable, Hashable {
  package let id: Int
  package let name: String
  /// Such as `PENDING`; the words of slurm.schedmd.com/squeue.html, "Job State Codes".
  package let state: String
  /// nil: none yet.
  package let nodes: String?
  /// Why it waits or ended; nil: no reason.
  package let reason: String?
  /// As `wait` gives it.
  package let exitCode: Int?

  /// Nothing is cut off a field that has an ending and no width.
  package static let format = ["JobID", "Name", "State", "NodeList", "Reason", "exit_code"].map { $0 + ":|" }.joined(separator: ",")

  /// nil for a line that isn't of `format`.
  package init?(parsing line: Substring) {
    let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    // Names with bars aren't ours.
    guard fields.count == 7, let id = Int(fields[0]) else { return nil }
    self.id = id
    (name, state) = (fields[1], fields[2])
    nodes = fields[3].isEmpty ? nil : fields[3]
    reason = fields[4].isEmpty || fields[4] == "None" ? nil : fields[4]
    exitCode = Int(fields[5])
  }

  /// It waits, also for its nodes to be got ready.
  package var isWaiting: Bool { ["PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"].contains(state) }

  /// Nothing more comes of it.
  package var isOver: Bool {
    [
      "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL", "DEADLINE", "REVOKED",
      "LAUNCH_FAILED",
    ].contains(state)
  }

  /// Of several jobs of one name, what tells most.
  package static func best(_ jobs: [SlurmJob]) -> SlurmJob? {
    func rank(_ job: SlurmJob) -> Int { job.isOver ? 0 : job.isWaiting ? 1 : 2 }
    return jobs.max { (rank($0), $0.id) < (rank($1), $1.id) }
  }

  /// For people.
  package var summary: String { state + (reason.map { " (\($0))" } ?? "") }

  /// The worker found that the attempt had been started before.
  package var foundAnotherWorker: Bool { state == "FAILED" && exitCode == Int(AttemptExit.notMine.rawValue) << 8 }
}

/// With what status a worker's process ends.
public enum AttemptExit: Int32, Sendable {
  /// The journal says how the attempt ended.
  case told = 0
  /// The attempt can't be read, or its journal can't be written.
  case unusable = 2
  /// The attempt was started before, or was withdrawn.
  case notMine = 3
}
