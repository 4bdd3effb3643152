import Foundation
import JobModel
import JobStore

/// A run of the daemon as strace saw it, to be cut short anywhere.
struct PowerCutTrace: Sendable {
  let data: URL
  /// What the model's disk holds: the data folder, or the folder that the daemon made it in.
  let disk: URL
  let calls: [SystemCall]
  /// SHA-256 of the files that each job published.
  let published: [JobID: [String: String]]

  /// A moment at which the power goes.
  struct Cut: Hashable, Sendable, CustomStringConvertible {
    /// Calls that were made before.
    let position: Int
    let loss: ModelDisk.Loss
    /// The call that came next.
    let name: String
    /// Jobs for which a 202 had gone out.
    let acknowledged: Set<JobID>

    var description: String { "power cut before \(name), which takes \(loss.rawValue) not synchronized; \(Torture.seedNote)" }

    /// Writes what the cut leaves on the disk; each time the same.
    func leave(_ disk: ModelDisk, in folder: URL) throws {
      var chance = Chance(stream: 1000 + UInt64(position))
      try disk.leave(loss, in: folder, &chance)
    }
  }

  /// Runs jobs on a new data folder to their ends.
  ///
  /// - Parameter isThere: Whether the data folder is there from the beginning; else the daemon makes it.
  static func record(_ site: Site, jobs count: Int, isThere: Bool = true) async throws -> PowerCutTrace {
    let parent = site.newDataFolder()
    let data = parent.appending(component: "data")
    try FileManager.default.createDirectory(at: isThere ? data : parent, withIntermediateDirectories: true)
    let log = site.folder.appending(component: "trace")
    let published = try await DaemonProcess.run(site, data: data, wrapper: Strace.recording(to: log, data: true)) { daemon in
      var published: [JobID: [String: String]] = [:]
      for _ in 0..<count {
        let job = try await daemon.ended(daemon.submit())
        guard let files = job.result?.files else { throw DaemonProcess.Failure.jobFailed(job.error?.detail ?? "") }
        published[job.id] = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0.sha256) })
      }
      return published
    }
    let calls = try SystemCall.parse(log)
    try FileManager.default.removeItem(at: log)
    return PowerCutTrace(data: data, disk: isThere ? data : parent, calls: calls, published: published)
  }

  /// The trace as if the files with names that end so had never been synchronized.
  func withoutSyncs(of suffix: String) -> PowerCutTrace {
    PowerCutTrace(
      data: data, disk: disk,
      calls: calls.filter { call in !(call.name.hasSuffix("sync") && call.paths.contains { $0.hasSuffix(suffix) }) },
      published: published)
  }

  /// Calls `body` with the disk at each moment that leaves other files than the one before.
  ///
  /// - Parameter chosen: Only these; nil: all.
  func replay(_ chosen: Set<Cut>? = nil, _ body: (Cut, ModelDisk) async throws -> Void) async throws {
    let disk = ModelDisk(disk)
    let answers = acknowledgements()
    var last: [ModelDisk.Loss: Int] = [:]
    for (position, call) in (calls.map(Optional.some) + [nil]).enumerated() {
      if call.map(Self.isBoundary) ?? true {
        for loss in ModelDisk.Loss.allCases {
          let end = call?.end ?? Int.max
          let cut = Cut(
            position: position, loss: loss, name: call.map { describe($0) } ?? "the end",
            acknowledged: Set(answers.filter { $0.line < end }.map(\.job)))
          if let chosen {
            if chosen.contains(cut) { try await body(cut, disk) }
            continue
          }
          let fingerprint = disk.fingerprint(loss)
          if last.updateValue(fingerprint, forKey: loss) != fingerprint { try await body(cut, disk) }
        }
      }
      if let call { try disk.apply(call) }
    }
  }

  /// Calls `body` with the disk when all is done, for each loss.
  func replayEnd(_ body: (Cut, ModelDisk) async throws -> Void) async throws {
    let end = ModelDisk.Loss.allCases.map {
      Cut(position: calls.count, loss: $0, name: "the end", acknowledged: Set(acknowledgements().map(\.job)))
    }
    try await replay(Set(end), body)
  }

  private static func isBoundary(_ call: SystemCall) -> Bool {
    call.name.hasSuffix("sync") || call.name.hasPrefix("rename") || call.name.hasPrefix("unlink")
  }

  private func describe(_ call: SystemCall) -> String {
    call.name + " of " + (call.paths.first ?? "?").replacing(data.path + "/", with: "")
  }

  /// When a 202 went into a socket, at the earliest.
  private func acknowledgements() -> [(line: Int, job: JobID)] {
    calls.compactMap { call in
      guard ["write", "writev", "sendto", "sendmsg"].contains(call.name), call.path(0) == nil else { return nil }
      let text = String(decoding: call.bytes(1), as: UTF8.self)
      guard text.contains("HTTP/1.1 202"), let id = text.firstMatch(of: /"id":"([0-9A-Z]{26})"/) else { return nil }
      return JobID(String(id.1)).map { (call.begin, $0) }
    }
  }

  // MARK: - What must hold

  /// What is wrong with the files that a cut left, without a daemon.
  func findings(_ cut: Cut, in folder: URL) async throws -> [String] {
    var findings: [String] = []
    let database = folder.appending(component: "gptqd.sqlite")
    var jobs: [JobID: Job] = [:]
    do {
      let repository = try JobRepository(database: database)
      for job in try await repository.jobs(status: nil, limit: 1000, after: nil).data { jobs[job.id] = job }
    } catch {
      findings.append("the database can't be opened: \(error)")
    }
    for id in cut.acknowledged where jobs[id] == nil { findings.append("the acknowledged job \(id) is lost") }
    let artifacts = folder.appending(component: "artifacts")
    for job in jobs.values where job.status == .succeeded {
      let files = Dictionary(uniqueKeysWithValues: (job.result?.files ?? []).map { ($0.path, $0.sha256) })
      if try digests(of: artifacts.appending(component: job.id.text)) != files {
        findings.append("the artifact of the succeeded job \(job.id) is incomplete")
      }
    }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: artifacts.path)) ?? [] {
      guard let id = JobID(name), try digests(of: artifacts.appending(component: name)) == published[id] else {
        findings.append("artifacts/\(name) is incomplete")
        continue
      }
    }
    return findings
  }
}
