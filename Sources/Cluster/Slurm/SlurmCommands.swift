import Dispatch
import Foundation
import Synchronization

/// Slurm's programs.
package struct SlurmCommands: Sendable {
  let programs: URL?
  /// That each may take.
  let limit: Duration

  package enum Failure: Error, Hashable, CustomStringConvertible {
    /// It isn't there or can't be started.
    case notStarted(program: String, reason: String)
    case late(program: String, limit: Duration)
    case refused(program: String, status: Int32, message: String)

    package var description: String {
      switch self {
      case .notStarted(let program, let reason): "\(program) can't be run: \(reason)"
      case .late(let program, let limit): "\(program) didn't end within \(limit)"
      case .refused(let program, let status, let message): message.isEmpty ? "\(program) ended with status \(status)" : message
      }
    }
  }

  /// Hands a script to Slurm.
  ///
  /// - Returns: Slurm's number of the job.
  func submit(_ script: URL, _ arguments: [String]) async throws(Failure) -> Int {
    let answer = try await run("sbatch", ["--parsable"] + arguments + [script.path])
    // On a federation, the cluster's name follows.
    guard let id = Int(answer.prefix { $0 != ";" && !$0.isNewline }) else {
      throw .refused(program: "sbatch", status: 0, message: "sbatch answered \"\(answer.prefix(200))\", which is no job id")
    }
    return id
  }

  /// This user's jobs, those that ended a while ago included.
  func queue() async throws(Failure) -> [SlurmJob] {
    let answer = try await run("squeue", ["--me", "--states=all", "--noheader", "--Format=" + SlurmJob.format])
    return answer.split(separator: "\n").compactMap { SlurmJob(parsing: $0) }
  }

  /// Doesn't mind a job that isn't there.
  func cancel(_ ids: [Int]) async throws(Failure) {
    guard !ids.isEmpty else { return }
    _ = try await run("scancel", ids.map(String.init))
  }

  func cancel(name: String) async throws(Failure) { _ = try await run("scancel", ["--me", "--name=" + name]) }

  /// - Returns: Standard output.
  private func run(_ program: String, _ arguments: [String]) async throws(Failure) -> String {
    let programs = programs
    let limit = limit
    let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<String, Failure>, Never>) in
      DispatchQueue.global(qos: .utility).async {
        continuation.resume(returning: Self.run(program, arguments, in: programs, limit: limit))
      }
    }
    return try result.get()
  }

  /// On the calling thread.
  private static func run(_ program: String, _ arguments: [String], in folder: URL?, limit: Duration) -> Result<String, Failure> {
    let process = Process()
    let (output, errors) = (Pipe(), Pipe())
    process.executableURL = folder?.appending(component: program) ?? URL(filePath: "/usr/bin/env")
    process.arguments = (folder == nil ? [program] : []) + arguments
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    (process.standardOutput, process.standardError) = (output, errors)
    do {
      try process.run()
    } catch {
      return .failure(.notStarted(program: program, reason: error.localizedDescription))
    }
    let isLate = Atomic<Bool>(false)
    let deadline = DispatchWorkItem {
      isLate.store(true, ordering: .sequentiallyConsistent)
      kill(process.processIdentifier, SIGKILL)
    }
    DispatchQueue.global().asyncAfter(deadline: .now() + limit / .seconds(1), execute: deadline)
    let message = Mutex("")
    let reader = DispatchGroup()
    DispatchQueue.global().async(group: reader) {
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      message.withLock { $0 = text }
    }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    reader.wait()
    process.waitUntilExit()
    deadline.cancel()
    if isLate.load(ordering: .sequentiallyConsistent) { return .failure(.late(program: program, limit: limit)) }
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      let lines = message.withLock { $0 }.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      if folder == nil, process.terminationStatus == 127 {
        return .failure(.notStarted(program: program, reason: "it isn't in the PATH; install slurm-client, or set slurm.bin_folder"))
      }
      return .failure(.refused(program: program, status: process.terminationStatus, message: lines.joined(separator: "; ")))
    }
    return .success(text)
  }

  /// What jobs inherit: nothing of the daemon's own settings, some of which are secret.
  private static let environment: [String: String] = {
    let kept: Set = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ"]
    return ProcessInfo.processInfo.environment.filter { name, _ in
      kept.contains(name) || ["SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_", "OMPI_MCA_", "PMIX_MCA_"].contains(where: name.hasPrefix)
    }
  }()
}
