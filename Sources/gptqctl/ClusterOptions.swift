import ArgumentParser
import JobModel
import StrictJSON

/// What a job asks of a cluster, for a new job or another start.
package struct ClusterOptions: ParsableArguments {
  @Option(help: "Slurm's partition.") var slurmPartition: String?
  @Option(help: "Cores of each node.") var slurmCpus: Int?
  @Option(help: "Memory of each node, such as 64GiB.") var slurmMemory: String?
  @Option(help: "Time that an attempt may take, as Slurm writes it: 90 (minutes), 12:00:00 or 2-12:00:00.") var slurmTime: String?
  @Option(help: "Features that nodes must have, with Slurm's operators.") var slurmConstraint: String?
  @Option(help: "Nodes that compute the job together.") var nodes: Int?

  package init() {}

  /// `{"slurm": …, "nodes": …}`, of each what was given.
  package var request: JSONObject {
    let slurm = JSONObject(given: [
      ("partition", slurmPartition.map(JSONValue.string)), ("cpus", slurmCpus.map { .integer(Int64($0)) }),
      ("memory", slurmMemory.map(JSONValue.string)), ("time", slurmTime.map(JSONValue.string)),
      ("constraint", slurmConstraint.map(JSONValue.string)),
    ])
    return JSONObject(given: [("slurm", slurm.valueIfAny), ("nodes", nodes.map { .integer(Int64($0)) })])
  }
}
