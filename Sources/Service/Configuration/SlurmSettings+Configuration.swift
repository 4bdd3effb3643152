import Cluster
import Foundation
import JobModel

extension SlurmSettings {
  init(_ values: ConfigurationValues) throws(ConfigurationError) {
    self.init()
    defaults.partition = try values.value(.slurmPartition, expected: "a partition's name") { SlurmRequest.isPartition($0) ? $0 : nil }
    defaults.cpus = try values.integer(.slurmCPUs, in: 1...4096) ?? defaults.cpus
    defaults.memory = try values.positiveBytes(.slurmMemory)
    defaults.time = try values.slurmTime(.slurmTime)
    defaults.constraint = try values.value(.slurmConstraint, expected: "features with Slurm's operators, as avx512&bigmem") {
      SlurmRequest.isConstraint($0) ? $0 : nil
    }
    partitions = values.list(.slurmPartitions)
    for name in partitions where !SlurmRequest.isPartition(name) {
      throw .invalidValue(key: ConfigurationKey.slurmPartitions.rawValue, value: name, expected: "names of partitions")
    }
    limits.cpus = try values.integer(.slurmMaxCPUs, in: 0...4096).flatMap { $0 > 0 ? $0 : nil }
    limits.memory = try values.positiveBytes(.slurmMaxMemory)
    limits.time = try values.slurmTime(.slurmMaxTime)
    limits.nodes = try values.integer(.slurmMaxNodes, in: 1...1024) ?? limits.nodes
    options = values.list(.slurmOptions)
    for option in options where !option.hasPrefix("--") {
      throw .invalidValue(key: ConfigurationKey.slurmOptions.rawValue, value: option, expected: "options of sbatch, as --account=physics")
    }
    programs = try values.folder(.slurmBinFolder)
    worker = try values.folder(.slurmWorker).map { URL(filePath: $0.path) }
    jobs = try values.integer(.slurmMaxJobs, in: 1...10_000) ?? jobs
    timing.silence = try values.integer(.slurmSilenceSeconds, in: 5...86_400).map { .seconds($0) } ?? timing.silence
    timing.poll = try values.integer(.slurmPollSeconds, in: 1...3600).map { .seconds($0) } ?? timing.poll
  }
}

extension ConfigurationValues {
  /// nil also where it is 0.
  fileprivate func positiveBytes(_ key: ConfigurationKey) throws(ConfigurationError) -> ByteSize? {
    try bytes(key).flatMap { $0 > 0 ? ByteSize(bytes: $0) : nil }
  }

  fileprivate func slurmTime(_ key: ConfigurationKey) throws(ConfigurationError) -> SlurmTime? {
    try value(key, expected: SlurmTime.expected) { SlurmTime($0) }
  }
}
