import Cluster
import ServiceLifecycle

/// Looks for jobs in Slurm that nobody wants.
struct SlurmWatch: Service {
  let executor: SlurmExecutor

  func run() async throws { try? await cancelWhenGracefulShutdown { try await executor.watch() } }
}
