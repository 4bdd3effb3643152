import Foundation

/// Where Slurm has a job, as far as is known.
public struct SlurmPlacement: Codable, Sendable, Hashable {
  /// Of the Slurm job: unique for each attempt of each job. nil: it wasn't submitted yet.
  public var name: String?
  /// Slurm's number of it.
  public var id: Int?
  /// As squeue names it, such as `PENDING`; `SUBMITTING` before Slurm has it, `LOST` where Slurm doesn't know it any more.
  public var state: String?
  /// Why it waits or ended, as squeue says.
  public var reason: String?
  /// Where it runs or ran, as squeue lists them, such as `n[1-4]`.
  public var nodes: String?
  public var submittedAt: Date?
  /// Why Slurm can't be asked; nil: it answers.
  public var unreachable: String?

  public init(
    name: String? = nil, id: Int? = nil, state: String? = nil, reason: String? = nil, nodes: String? = nil, submittedAt: Date? = nil,
    unreachable: String? = nil
  ) {
    (self.name, self.id, self.state, self.reason, self.nodes) = (name, id, state, reason, nodes)
    (self.submittedAt, self.unreachable) = (submittedAt, unreachable)
  }
}
