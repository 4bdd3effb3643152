import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Disks that are full: from the start, and while a job runs.
  @Suite(.serialized, .enabled(if: PrivateMount.isAllowed)) struct FullDiskTests {
    /// In KiB; from too little for the database to almost enough for the job.
    private static let sizes = Torture.isLong ? Array(stride(from: 16, to: 6000, by: 61)) : [96, 400, 1200]

    @Test("On a disk that is too small the daemon refuses to start, or to take the job, or fails it, and says what to free")
    func smallDisks() async throws {
      try await Site.run { site in
        let expected = try await site.undisturbed().files
        try await concurrently(Self.sizes) { size in
          let findings = try await Self.smallDisk(size, site, expected: expected)
          #expect(findings.isEmpty, "a disk of \(size) KiB")
        }
      }
    }

    private static func smallDisk(_ size: Int, _ site: Site, expected: [String: String]) async throws -> [String] {
      let data = site.newDataFolder()
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
      let start = ContinuousClock.now
      do {
        return try await DaemonProcess.run(site, data: data, wrapper: PrivateMount.disk(size, at: data), isPrivate: true) { daemon in
          let id: JobID
          do {
            id = try await daemon.submit()
          } catch ClientError.refused(let problem) {
            let isClear = problem.code == .insufficientStorage && problem.status == 507 && problem.detail.lowercased().contains("free")
            return (isClear ? [] : ["the refusal is unclear: \(problem.status) \(problem)"]) + (await Self.life(daemon))
          }
          let job = try await daemon.ended(id, within: .seconds(8))
          return Self.unclear(job, expected: expected) + (try Self.partial(daemon, job)) + (await Self.life(daemon))
        }
      } catch DaemonProcess.Failure.ended(let exit, let log) {
        let isClear = exit != .status(0) && ["full", "space"].contains { log.lowercased().contains($0) } && !log.contains("Fatal error")
        return isClear && ContinuousClock.now - start < .seconds(20) ? [] : ["it ended with \(exit) and said: \(log)"]
      } catch let error as ClientError {
        return ["the daemon doesn't answer: \(error)"]
      }
    }

    /// Bytes that are left when the rest of the disk is filled, while the job runs.
    private static let remainders = Torture.isLong ? Array(stride(from: 0, to: 600 << 10, by: 24 << 10)) : [0, 64 << 10, 160 << 10]

    @Test("A disk that becomes full fails the job it concerns; once there is room, a retry gives the same bytes, and so do other jobs")
    func becomesFull() async throws {
      try await Site.run { site in
        let expected = try await site.undisturbed().files
        try await concurrently(Self.remainders) { remainder in
          let data = site.newDataFolder()
          try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
          let findings = try await DaemonProcess.run(
            site, data: data, wrapper: PrivateMount.disk(24 << 10, at: data), isPrivate: true
          ) { try await Self.fill($0, leaving: remainder, expected: expected) }
          #expect(findings.isEmpty, "with \(remainder) bytes left")
        }
      }
    }

    private static func fill(_ daemon: DaemonProcess, leaving remainder: Int, expected: [String: String]) async throws -> [String] {
      let id = try await daemon.submit()
      let ballast = daemon.view.appending(component: "ballast")
      try Ballast.fill(ballast, leaving: remainder)
      var job = try await daemon.ended(id, within: .seconds(8))
      var findings = unclear(job, expected: expected) + (try partial(daemon, job)) + (await life(daemon))
      try FileManager.default.removeItem(at: ballast)
      if job.status == .failed { _ = try await daemon.client.send("POST", "/v1/jobs/\(id)/retry") }
      job = try await daemon.ended(id, within: .seconds(15))
      guard job.status.isEnded else { return findings + ["with room again the job is \(job.status.rawValue) for ever"] }
      if job.status != .succeeded {
        findings.append("with room again the job is \(job.status.rawValue): \(job.error?.detail ?? "no error")")
      }
      let other = try await daemon.ended(daemon.submit(), within: .seconds(15))
      if other.status != .succeeded { findings.append("another job is \(other.status.rawValue): \(other.error?.detail ?? "no error")") }
      for job in [job, other] where job.status == .succeeded {
        if try digests(of: daemon.view.appending(path: "artifacts/\(job.id)")) != expected { findings.append("\(job.id) has other bytes") }
      }
      return findings
    }

    /// What is wrong with how a job ended.
    private static func unclear(_ job: Job, expected: [String: String]) -> [String] {
      switch job.status {
      case .succeeded:
        let files = Dictionary(uniqueKeysWithValues: (job.result?.files ?? []).map { ($0.path, $0.sha256) })
        return files == expected ? [] : ["the job succeeded with other bytes"]
      case .failed:
        let text = [job.error?.detail, job.error?.advice].compactMap { $0 }.joined(separator: " ").lowercased()
        let isClear = (text.contains("space") || text.contains("full")) && text.contains("free") && job.error?.code != "internal"
        return isClear ? [] : ["the failure \(job.error?.code ?? "") is unclear: \(text)"]
      // One that waits for room is as good.
      case .queued: return []
      default: return ["the job is \(job.status.rawValue) for ever"]
      }
    }

    /// What the job left that it should not have.
    private static func partial(_ daemon: DaemonProcess, _ job: Job) throws -> [String] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: daemon.view.appending(component: "artifacts").path)) ?? []
      return job.status != .succeeded && !names.isEmpty ? ["artifacts/ has \(names) of a job that is \(job.status.rawValue)"] : []
    }

    private static func life(_ daemon: DaemonProcess) async -> [String] {
      do {
        _ = try await daemon.client.send("GET", "/healthz")
        return []
      } catch {
        return ["the daemon doesn't answer any more: \(error); it said: \(daemon.said.suffix(500))"]
      }
    }
  }
}

/// A file that takes what a disk has left.
enum Ballast {
  static func fill(_ file: URL, leaving remainder: Int) throws {
    let descriptor = open(file.path, O_WRONLY | O_CREAT, 0o600)
    guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    defer { close(descriptor) }
    var size = 0
    for step in [1 << 20, 64 << 10, 4 << 10] {
      while posix_fallocate(descriptor, off_t(size), off_t(step)) == 0 { size += step }
    }
    ftruncate(descriptor, off_t(max(0, size - remainder)))
  }
}
