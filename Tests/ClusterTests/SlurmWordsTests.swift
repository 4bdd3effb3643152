import Cluster
import Foundation
import JobModel
import Testing

/// What is said to Slurm's programs, and what they say.
@Suite struct SlurmWordsTests {
  @Test("Lines of squeue are read; others are left")
  func queue() {
    let running = SlurmJob(parsing: "7|gptqd-x-1|RUNNING|n[1-2]|None|0|")
    #expect(running?.id == 7 && running?.name == "gptqd-x-1" && running?.nodes == "n[1-2]" && running?.reason == nil)
    #expect(running?.isOver == false && running?.isWaiting == false)
    let failed = SlurmJob(parsing: "8|gptqd-x-1|FAILED|n1|NonZeroExitCode|768|")
    #expect(failed?.isOver == true && failed?.foundAnotherWorker == true && failed?.summary == "FAILED (NonZeroExitCode)")
    #expect(SlurmJob(parsing: "9|gptqd-x-1|FAILED|n1|JobLaunchFailure|9|")?.foundAnotherWorker == false)
    #expect(SlurmJob(parsing: "9|gptqd-x-1|PENDING||Resources|0|")?.isWaiting == true)
    for line in ["", "|", "x|a|RUNNING|n|None|0|", "1|a|b|RUNNING|n|None|0|", "1|a", "slurm_load_jobs error"] {
      #expect(SlurmJob(parsing: Substring(line)) == nil, "\(line)")
    }
    // Of one name, the one that runs.
    #expect(SlurmJob.best([failed, running].compactMap(\.self))?.id == 7)
  }

  @Test("A job gets what it asks for, and else the defaults; sbatch gets words, not a shell's text")
  func arguments() throws {
    var settings = SlurmSettings()
    settings.defaults = SlurmRequest(partition: "cpu", cpus: 4, memory: ByteSize("1GiB"))
    settings.options = ["--account=x"]
    let folder = AttemptFolder(URL(filePath: "/data/it's/1"))
    var request = JobRequest(model: "m")
    let plain = BatchScript.arguments(of: request, name: "n", folder: folder, settings: settings)
    #expect(plain.contains("--partition=cpu") && plain.contains("--cpus-per-task=4") && plain.contains("--mem=1024M"))
    #expect(plain.contains("--nodes=1") && plain.contains("--no-requeue") && plain.last == "--account=x")
    #expect(!plain.contains { $0.hasPrefix("--time") || $0.hasPrefix("--constraint") })
    request.slurm = SlurmRequest(cpus: 8, memory: ByteSize("1000001"), time: SlurmTime("1-00:00:00"), constraint: "a&b")
    request.nodes = 3
    let asked = BatchScript.arguments(of: request, name: "n", folder: folder, settings: settings)
    #expect(asked.contains("--partition=cpu") && asked.contains("--cpus-per-task=8") && asked.contains("--mem=1M"))
    #expect(asked.contains("--time=1-00:00:00") && asked.contains("--constraint=a&b") && asked.contains("--nodes=3"))
    let script = BatchScript(Samples.specification(), folder: folder, settings: settings).text
    #expect(script.hasPrefix("#!/bin/sh\nexec '") && script.contains("--attempt' '/data/it'\\''s/1'\n"))
  }

  @Test("What jobs may ask for is limited, field by field")
  func limits() throws {
    var settings = SlurmSettings()
    settings.partitions = ["a"]
    (settings.limits.cpus, settings.limits.memory, settings.limits.time) = (8, ByteSize("1GiB"), SlurmTime("60"))
    let allowed = SlurmRequest(partition: "a", cpus: 8, memory: ByteSize("1024MiB"), time: SlurmTime("1:00:00"), constraint: "c")
    try settings.check(allowed, nodes: 1)
    try settings.check(nil, nodes: nil)
    let refused = SlurmRequest(partition: "b", cpus: 9, memory: ByteSize("1025MiB"), time: SlurmTime("61"))
    let problem = #expect(throws: Problem.self) { try settings.check(refused, nodes: 2) }
    #expect(problem?.errors?.map(\.pointer).sorted() == ["/nodes", "/slurm/cpus", "/slurm/memory", "/slurm/partition", "/slurm/time"])
    #expect(problem?.status == 422)
  }
}
