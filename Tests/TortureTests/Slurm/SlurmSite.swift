import Foundation
import JobModel
import Testing

/// The demo model, a Slurm of its own, and daemons that use it.
struct SlurmSite: Sendable {
  let site: Site
  let cluster: SlurmCluster

  /// These tests start Slurm's daemons as root, so they run only where that is asked for: `make test-slurm`.
  static let isAsked = ProcessInfo.processInfo.environment["GPTQD_SLURM"] == "1"

  static func run(_ body: (SlurmSite) async throws -> Void) async throws {
    try await Site.run { site in
      let cluster = try await SlurmCluster()
      do {
        try await body(SlurmSite(site: site, cluster: cluster))
        await cluster.stop()
      } catch {
        print(cluster.log())
        await cluster.stop()
        throw error
      }
      #expect(!FileManager.default.fileExists(atPath: cluster.folder.path), "Slurm left something")
    }
  }

  private static let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Examples").standardized

  private static let inputs = [
    "GPTQD_MODELS_ROOTS": examples.appending(component: "models").path,
    "GPTQD_DATASETS_ROOTS": examples.appending(component: "datasets").path,
  ]

  /// The demo's job, of other sequences.
  static func request(samples: Int = 32, seed: Int = 0, nodes: Int = 1) -> String {
    """
    {"model": "tiny-qwen2-kjv", "quantization": {"bits": 4, "group_size": 64}, "nodes": \(nodes),
     "calibration": {"dataset": "kjv-calibration", "samples": \(samples), "sequence_length": 256, "seed": \(seed)},
     "evaluation": {"dataset": "kjv-heldout", "samples": 4, "sequence_length": 128}}
    """
  }

  /// Runs `body` with a daemon that gives jobs to Slurm, and kills it afterwards by SIGKILL.
  func daemon(data: URL, _ settings: [String: String] = [:], _ body: (DaemonProcess) async throws -> Void) async throws {
    var all = Self.inputs.merging(cluster.environment) { $1 }
    all.merge([
      "GPTQD_COMPUTE_EXECUTOR": "slurm", "GPTQD_SLURM_CPUS": "1", "GPTQD_SLURM_MAX_NODES": "2", "GPTQD_SLURM_POLL_SECONDS": "1",
      "GPTQD_SLURM_SILENCE_SECONDS": "15",
    ]) { $1 }
    all.merge(settings) { $1 }
    try await DaemonProcess.run(site, data: data, settings: all, body)
  }

  /// What jobs give that a daemon computes itself.
  ///
  /// - Returns: SHA-256 of each one's files.
  func local(_ requests: [String]) async throws -> [[String: String]] {
    let data = site.newDataFolder()
    return try await DaemonProcess.run(site, data: data, settings: Self.inputs) { daemon in
      var files: [[String: String]] = []
      for request in requests {
        let request = request.replacing(#""nodes": 2"#, with: #""nodes": 1"#)
        files.append(try Self.files(of: try await daemon.ended(daemon.submit(request))))
      }
      return files
    }
  }

  /// Of a job that succeeded.
  static func files(of job: Job) throws -> [String: String] {
    guard let result = job.result else { throw DaemonProcess.Failure.jobFailed(job.error?.detail ?? "\(job.status)") }
    return Dictionary(uniqueKeysWithValues: result.files.map { ($0.path, $0.sha256) })
  }

  /// Waits until a job has finished some layers, and begun another.
  func progress(of id: JobID, _ daemon: DaemonProcess, layers: Int) async throws -> Job {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      let job = try await daemon.job(id)
      if job.status.isEnded || job.progress?.done ?? 0 >= layers { return job }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw DaemonProcess.Failure.jobFailed("it doesn't get on")
  }

  /// Processes that work on a job's attempt, once there are so many.
  func workers(of id: JobID, attempt: Int = 1, count: Int = 1) async throws -> [pid_t] {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      // Not the shell that Slurm starts, nor srun.
      let pids = cluster.workers("gptqd worker --attempt").filter { pid in
        let words = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")))?.split(separator: 0).map {
          String(decoding: $0, as: UTF8.self)
        }
        return words?.first?.hasSuffix("gptqd") == true && words?.last?.hasSuffix("attempts/\(id)/\(attempt)") == true
      }
      if pids.count >= count { return pids }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw DaemonProcess.Failure.jobFailed("it has no worker")
  }
}
