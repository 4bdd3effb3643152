import Foundation
import JobModel

/// What must hold of a data folder when the daemon has come back and done its jobs.
struct Aftermath {
  let daemon: DaemonProcess
  /// SHA-256 of the artifact's files when nothing disturbs the daemon.
  let expected: [String: String]
  /// Jobs that were acknowledged before.
  let acknowledged: Set<JobID>

  /// Waits for all jobs to end.
  ///
  /// - Returns: What is wrong, in sentences.
  func findings() async throws -> [String] {
    var findings: [String] = []
    var jobs: [Job] = []
    for job in try await daemon.jobs() { jobs.append(try await daemon.ended(job.id)) }
    for lost in acknowledged.subtracting(jobs.map(\.id)) { findings.append("the acknowledged job \(lost) is lost") }
    for job in jobs {
      guard job.status == .succeeded, let result = job.result else {
        findings.append("the job is \(job.status.rawValue): \(job.error?.detail ?? "no error")")
        continue
      }
      let stated = Dictionary(uniqueKeysWithValues: result.files.map { ($0.path, $0.sha256) })
      let other = Set(stated.keys).union(expected.keys).filter { stated[$0] != expected[$0] }.sorted()
      if !other.isEmpty { findings.append("\(other) are other files than those of an undisturbed run") }
      let found = try digests(of: daemon.data.appending(path: "artifacts/\(job.id)"))
      if found != expected { findings.append("the artifact has other bytes than that of an undisturbed run") }
    }
    // What a job needed until its success was stored goes right after that.
    for _ in 0..<500 where !names("work").isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    return findings + orphans(Set(jobs.filter { $0.status == .succeeded }.map(\.id.text)))
  }

  private func orphans(_ succeeded: Set<String>) -> [String] {
    var findings: [String] = []
    for name in names("artifacts").symmetricDifference(succeeded).sorted() { findings.append("artifacts/ has or lacks \(name)") }
    for name in names("work").sorted() { findings.append("work/ still has \(name)") }
    for case let path as String in FileManager.default.enumerator(atPath: daemon.data.path) ?? .init()
    where path.hasSuffix(".tmp") || path.contains(".nosync") { findings.append("\(path) is an orphan") }
    return findings
  }

  private func names(_ folder: String) -> Set<String> {
    Set((try? FileManager.default.contentsOfDirectory(atPath: daemon.data.appending(component: folder).path)) ?? [])
  }
}
