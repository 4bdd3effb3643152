import Foundation
import JobModel

/// How Slurm is used.
public struct SlurmSettings: Sendable, Hashable {
  /// What a job gets that doesn't ask for it.
  public var defaults = SlurmRequest(cpus: 4)
  /// Partitions that jobs may ask for; empty: any.
  public var partitions: [String] = []
  /// Most that a job may ask for.
  public var limits = Limits()
  /// Arguments of every sbatch, such as `--account=x`.
  public var options: [String] = []
  /// Where sbatch, squeue and scancel are; nil: in the PATH.
  public var programs: URL?
  /// gptqd as the nodes see it; nil: this program.
  public var worker: URL?
  /// Jobs that Slurm has at once.
  public var jobs = 64
  public var timing = Timing()

  public struct Limits: Sendable, Hashable {
    public var cpus: Int?
    public var memory: ByteSize?
    public var time: SlurmTime?
    public var nodes = 1

    public init() {}
  }

  /// When what is looked at.
  public struct Timing: Sendable, Hashable {
    /// Between two looks at Slurm's queue.
    public var poll = Duration.seconds(10)
    /// Between two looks at an attempt's journal.
    package var tick = Duration.milliseconds(500)
    /// A worker whose pulse didn't change for so long counts as dead, if Slurm doesn't know it.
    public var silence = Duration.seconds(60)
    /// That a command may take.
    package var command = Duration.seconds(60)

    public init() {}
  }

  public init() {}

  /// Checks what a job asks for.
  ///
  /// - Throws: `Problem` (422) that names the fields.
  public func check(_ asked: SlurmRequest?, nodes: Int?) throws(Problem) {
    var errors: [Problem.FieldError] = []
    func refuse(_ field: String, _ detail: String) { errors.append(.init(pointer: field, detail: detail)) }
    if let nodes, nodes > limits.nodes {
      refuse("/nodes", "must be at most \(limits.nodes) (slurm.max_nodes), is \(nodes)")
    }
    if let asked {
      if let partition = asked.partition, !partitions.isEmpty, !partitions.contains(partition) {
        refuse("/slurm/partition", "must be one of \(partitions.joined(separator: ", ")) (slurm.partitions), is \(partition)")
      }
      if let cpus = asked.cpus, let most = limits.cpus, cpus > most {
        refuse("/slurm/cpus", "must be at most \(most) (slurm.max_cpus), is \(cpus)")
      }
      if let memory = asked.memory, let most = limits.memory, memory > most {
        refuse("/slurm/memory", "must be at most \(most) (slurm.max_memory), is \(memory)")
      }
      if let time = asked.time, let most = limits.time, time > most {
        refuse("/slurm/time", "must be at most \(most) (slurm.max_time), is \(time)")
      }
    }
    guard errors.isEmpty else { throw Problem.invalidRequest(errors) }
  }

  /// Bytes that a job may have resident on each node; nil: as many as its node gives.
  public func memory(of request: JobRequest) -> Int? { (request.slurm?.memory ?? defaults.memory)?.bytes }
}
