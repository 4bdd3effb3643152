import Foundation
import LinearAlgebra

/// What a job may use of this machine.
public struct EngineLimits: Sendable, Hashable {
  public let cores: Int
  /// Bytes that may be resident.
  public let memory: Int

  /// - Parameter memory: nil: three quarters of the machine's.
  init(cores: Int, memory: Int?) {
    self.cores = max(1, cores)
    self.memory = memory ?? Self.machineMemory / 4 * 3
  }

  /// Divides what the configuration allows, or what the machine has, among the jobs that run at once.
  public init(_ configuration: ServiceConfiguration) {
    let workers = max(1, configuration.workers)
    let cores = configuration.threads > 0 ? configuration.threads : ProcessInfo.processInfo.activeProcessorCount
    self.cores = max(1, cores / workers)
    // The rest is for the daemon, the page cache of checkpoints, and everybody else.
    memory = Self.memory(of: configuration) / workers
  }

  /// What the daemon may have resident in all.
  static func memory(of configuration: ServiceConfiguration) -> Int {
    configuration.memoryLimit > 0 ? configuration.memoryLimit : machineMemory / 4 * 3
  }

  /// Of the machine, or of the control group that the daemon runs in.
  private static var machineMemory: Int {
    let physical = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let group = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)) ?? ""
    return min(physical, Int(group.trimmingCharacters(in: .whitespacesAndNewlines)) ?? physical)
  }
}
