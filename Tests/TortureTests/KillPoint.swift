import Foundation
import JobModel
import gptqctl

/// Where the daemon starts from, and what it is asked for.
struct Scenario: Sendable {
  let name: String
  /// Copied to be the daemon's data folder; nil: there is none yet.
  let template: URL?
  /// The job that the template has in its queue; nil: one is submitted.
  let job: JobID?

  /// - Parameter warnings: Of a job that is submitted.
  static func all(_ site: Site, warnings: [String]) async throws -> [Scenario] {
    let queued = try await site.queued(warnings: warnings)
    let killed = try site.copy(queued.data)
    let block = killed.appending(path: "work/\(queued.job)/blocks/block-00001.safetensors.tmp")
    do {
      let wrapper = Strace.killing(at: "rename", path: block.path, occurrence: 1)
      try await DaemonProcess.run(site, data: killed, wrapper: wrapper) { _ = try await $0.ended(queued.job) }
    } catch is ClientError {}
    return [
      Scenario(name: "first start", template: nil, job: nil),
      Scenario(name: "submission", template: try site.migrated(), job: nil),
      Scenario(name: "job", template: queued.data, job: queued.job),
      Scenario(name: "job taken up again", template: killed, job: queued.job),
    ]
  }
}

/// A system call of the daemon, at which it is killed before the call is made.
struct KillPoint: Sendable, CustomStringConvertible {
  let scenario: Scenario
  let call: String
  /// Below the data folder; empty: the folder itself.
  let path: String
  /// The path is a random one: any counts.
  let isAnyPath: Bool
  /// Of the calls that one thread makes with that path.
  let occurrence: Int

  var description: String {
    "\(scenario.name): before \(call) \(occurrence) of \(isAnyPath ? "any path" : path.isEmpty ? "the data folder" : path)"
  }

  /// What the next start must cope with most: names and durability.
  var isNamed: Bool { !["write", "pwrite64", "openat", "ftruncate"].contains(call) }

  /// The points of an undisturbed run, in the order in which it came to them.
  static func record(_ scenario: Scenario, _ site: Site) async throws -> [KillPoint] {
    let data = try site.copy(scenario.template)
    let log = site.folder.appending(component: "calls-\(UUID().uuidString.prefix(8))")
    defer { for url in [data, log] { try? FileManager.default.removeItem(at: url) } }
    try await DaemonProcess.run(site, data: data, wrapper: Strace.recording(to: log, data: false)) { daemon in
      var job = scenario.job
      if job == nil { job = try await daemon.submit() }
      if let job { _ = try await daemon.ended(job) }
    }
    struct Key: Hashable {
      let thread: Int
      let call: String
      let path: String
    }
    struct Place: Hashable {
      let call: String
      let path: String?
      let occurrence: Int
    }
    var counts: [Key: Int] = [:]
    var seen: Set<Place> = []
    var points: [KillPoint] = []
    for call in try SystemCall.parse(log) where Strace.changes.contains(call.name) {
      counts[Key(thread: call.thread, call: call.name, path: ""), default: 0] += 1
      // strace filters by the first path of a rename.
      guard let path = call.paths.first, path == data.path || path.hasPrefix(data.path + "/") else { continue }
      counts[Key(thread: call.thread, call: call.name, path: path), default: 0] += 1
      guard call.name != "openat" || call.text(2).contains("O_CREAT") || call.text(2).contains("O_TRUNC"), !path.hasSuffix("-shm")
      else { continue }
      // Random names are others the next time, and so is the job's where it is submitted then.
      let isRandom = path.contains(".nosync") || (scenario.job == nil && JobPath(path).job != nil)
      guard !isRandom || ["rename", "fsync"].contains(call.name) else { continue }
      let place = Place(
        call: call.name, path: isRandom ? nil : String(path.dropFirst(data.path.count).drop { $0 == "/" }),
        occurrence: counts[Key(thread: call.thread, call: call.name, path: isRandom ? "" : path)] ?? 1)
      if seen.insert(place).inserted {
        points.append(
          KillPoint(
            scenario: scenario, call: place.call, path: place.path ?? "", isAnyPath: isRandom, occurrence: place.occurrence))
      }
    }
    return points
  }
}

/// A path that has a job in it, such as `work/JOB/blocks`.
struct JobPath {
  let job: JobID?

  init(_ path: String) { job = path.split(separator: "/").lazy.compactMap { JobID(String($0)) }.first }
}
