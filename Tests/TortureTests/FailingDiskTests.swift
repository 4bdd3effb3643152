import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Calls that fail once, one at a time: what `FullDiskTests` does by chance, here at each place.
  @Suite(.serialized, .enabled(if: Strace.isAllowed)) struct FailingDiskTests {
    private struct Fault: Sendable, CustomStringConvertible {
      let point: KillPoint
      let error: String
      var description: String { "\(error) from \(point.call) \(point.occurrence) of \(point.path)" }
    }

    @Test("A file operation that fails fails the job and no more, says why, and a retry gives the same bytes")
    func everyOperation() async throws {
      try await Site.run { site in
        let undisturbed = try await site.undisturbed()
        let queued = try await site.queued(warnings: undisturbed.warnings)
        let scenario = Scenario(name: "job", template: queued.data, job: queued.job)
        // Opening the database, and letting go of what is of no use any more, is something else.
        let points = try await KillPoint.record(scenario, site).filter {
          ["openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "mkdir"].contains($0.call) && !$0.path.isEmpty && !$0.isAnyPath
            && !$0.path.hasPrefix("gptqd.url") && !$0.path.hasSuffix("gptqd.lock") && !$0.path.hasSuffix("-journal")
        }
        let files = points.filter { !$0.path.hasPrefix("gptqd.sqlite") }
        let database = points.filter { $0.path.hasPrefix("gptqd.sqlite-wal") && $0.call != "openat" }
        let chosen = files.filter { $0.call != "write" || $0.occurrence == 1 }.spread(Torture.isLong ? nil : 8)
        let faults =
          (chosen + database.spread(Torture.isLong ? 60 : 3)).flatMap { point in
            (Torture.isLong ? ["ENOSPC", "EIO"] : ["ENOSPC"]).map { Fault(point: point, error: $0) }
          } + chosen.filter { $0.call == "openat" }.map { Fault(point: $0, error: "EMFILE") }
        try await concurrently(faults) { fault in
          let findings = try await Self.provoke(fault, site, expected: undisturbed.files, job: queued.job)
          #expect(findings.isEmpty, "\(fault)")
        }
        print("torture: \(faults.count) failing calls")
      }
    }

    private static func provoke(
      _ fault: Fault, _ site: Site, expected: [String: String], job: JobID
    ) async throws -> [String] {
      let data = try site.copy(fault.point.scenario.template)
      defer { try? FileManager.default.removeItem(at: data) }
      let wrapper = Strace.injecting(
        "error=\(fault.error):when=\(fault.point.occurrence)", into: fault.point.call, path: data.appending(path: fault.point.path).path)
      do {
        return try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
          var findings: [String] = []
          // Each thread has the fault once, so several starts may fail. What the database doesn't take is tried again every 5 s, on
          // threads that are new by then: such a disk heals only when strace lets go.
          for _ in 0..<8 {
            var start = try await daemon.ended(job, within: .seconds(20))
            if !start.status.isEnded {
              Strace.letGo(of: daemon.process.pid)
              start = try await daemon.ended(job, within: .seconds(60))
            }
            guard start.status.isEnded else { return ["the job is \(start.status.rawValue) for ever"] }
            guard start.status == .failed else { break }
            findings += unclear(start, fault)
            let names = (try? FileManager.default.contentsOfDirectory(atPath: data.appending(component: "artifacts").path)) ?? []
            if !names.isEmpty { findings.append("artifacts/ has a folder of the failed job") }
            try await retry(job, daemon)
          }
          return findings + (try await Aftermath(daemon: daemon, expected: expected, acknowledged: [job]).findings())
        }
      } catch let failure as DaemonProcess.Failure {
        // At the start it may refuse to work.
        guard case .ended(.status(let status), let log) = failure, status != 0, !log.contains("Fatal error") else {
          return ["\(failure)"]
        }
        return []
      } catch let error as ClientError {
        return ["the daemon doesn't answer: \(error)"]
      }
    }

    /// Each thread has the fault once, so also those that answer.
    private static func retry(_ job: JobID, _ daemon: DaemonProcess) async throws {
      for _ in 0..<8 {
        do {
          _ = try await daemon.client.send("POST", "/v1/jobs/\(job)/retry")
          return
        } catch ClientError.refused(let problem) where problem.status == 507 {}
      }
      _ = try await daemon.client.send("POST", "/v1/jobs/\(job)/retry")
    }

    @Test("A submission that can't be stored is refused with what to free, and the daemon goes on", arguments: ["pwrite64", "fdatasync"])
    func fullDatabase(call: String) async throws {
      try await Site.run { site in
        let data = try site.migrated()
        // A database that is opened with its log there isn't written to; the first who does then is the submission.
        try await DaemonProcess.run(site, data: data) { _ in }
        let wal = data.appending(component: "gptqd.sqlite-wal")
        // The first time: it has room again for the second.
        let wrapper = Strace.injecting("error=ENOSPC:when=1", into: call, path: wal.path)
        try await DaemonProcess.run(site, data: data, wrapper: wrapper) { daemon in
          do {
            _ = try await daemon.submit()
            Issue.record("what can't be stored is accepted")
          } catch ClientError.refused(let problem) {
            #expect(problem.status == 507 && problem.code == .insufficientStorage && problem.detail.contains("free"), "\(problem)")
          }
          _ = try await daemon.client.send("GET", "/healthz")
          var id: JobID?
          for _ in 0..<4 where id == nil { id = try? await daemon.submit() }
          let job = try await daemon.ended(#require(id), within: .seconds(60))
          #expect(job.status.isEnded, "the next job is \(job.status.rawValue) for ever")
        }
      }
    }

    private static func unclear(_ job: Job, _ fault: Fault) -> [String] {
      let text = [job.error?.detail, job.error?.advice].compactMap { $0 }.joined(separator: " ").lowercased()
      let isClear =
        switch fault.error {
        case "ENOSPC": ["space", "full"].contains { text.contains($0) } && text.contains("free")
        case "EMFILE": text.contains("descriptor") || text.contains("open files")
        default: text.contains("input/output error") || text.contains("i/o error")
        }
      return isClear && job.error?.code != "internal" ? [] : ["the failure \(job.error?.code ?? "") is unclear: \(text)"]
    }
  }
}
