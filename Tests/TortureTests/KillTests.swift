import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// kill -9 of the daemon, at each place where it changes files, and at random moments.
  @Suite(.serialized) struct KillTests {
    @Test(
      "Killed before any fsync, rename or commit, the daemon loses nothing and ends with the same bytes", .enabled(if: Strace.isAllowed)
    )
    func namedPoints() async throws {
      try await Site.run { site in
        let undisturbed = try await site.undisturbed()
        let expected = undisturbed.files
        var named: [KillPoint] = []
        var others: [KillPoint] = []
        for scenario in try await Scenario.all(site, warnings: undisturbed.warnings) {
          let points = try await KillPoint.record(scenario, site)
          named += points.filter(\.isNamed)
          others += points.filter { !$0.isNamed }
        }
        #expect(named.count > 60, "the trace shows too few system calls: \(named)")
        let budget = Torture.kills - Torture.randomKills
        let chosen = named.spread(Torture.isLong ? nil : budget * 4 / 5)
        let points = chosen + others.spread(Torture.isLong ? max(100, budget - chosen.count) : budget - chosen.count)
        let tally = Tally()
        let attempt: @Sendable (KillPoint) async throws -> Void = { point in
          let (wasKilled, findings) = try await Self.kill(at: point, site, expected: expected)
          if wasKilled { tally.add() }
          #expect(findings.isEmpty, "\(point)")
        }
        try await concurrently(points, attempt)
        // Threads may share the work otherwise than when it was recorded, so that some points aren't reached.
        let reached = tally.count
        for point in named.spread(points.count * 3) where tally.count < points.count { try await attempt(point) }
        print("torture: \(tally.count) kills at \(points.count) of \(named.count + others.count) named points")
        #expect(reached >= points.count * 3 / 4, "too few points were reached")
        #expect(tally.count >= points.count)
      }
    }

    /// - Returns: Whether the daemon came to the point, and what was wrong after the next start.
    private static func kill(at point: KillPoint, _ site: Site, expected: [String: String]) async throws -> (Bool, [String]) {
      let data = try site.copy(point.scenario.template)
      let path = point.path.isEmpty ? data.path : data.appending(path: point.path).path
      let wrapper = Strace.killing(at: point.call, path: point.isAnyPath ? nil : path, occurrence: point.occurrence)
      let client = Client(submits: point.scenario.job == nil)
      let wasKilled = try await client.use(site, data: data, wrapper: wrapper)
      let findings = try await client.findings(site, data: data, expected: expected, job: point.scenario.job)
      try FileManager.default.removeItem(at: data)
      return (wasKilled, findings)
    }

    @Test("Killed at random moments, twice each time, the daemon loses nothing and ends with the same bytes")
    func randomMoments() async throws {
      try await Site.run { site in
        let undisturbed = try await site.undisturbed()
        let (expected, duration) = (undisturbed.files, undisturbed.duration)
        var chance = Chance(stream: 1)
        let moments = (0..<Torture.randomKills / 2).map { _ in
          [duration * Double.random(in: 0...1.2, using: &chance), duration * Double.random(in: 0...0.8, using: &chance)]
        }
        try await concurrently(moments) { moments in
          let data = site.newDataFolder()
          let client = Client(submits: true)
          for moment in moments { _ = try await client.use(site, data: data, killedAfter: moment) }
          let findings = try await client.findings(site, data: data, expected: expected, job: nil)
          #expect(findings.isEmpty, "killed after \(moments); \(Torture.seedNote)")
          try FileManager.default.removeItem(at: data)
        }
      }
    }
  }
}

/// Uses a daemon that is killed, as a careful client does: what got no answer is sent again under the same key.
private final class Client: Sendable {
  private let submits: Bool
  private let key = UUID().uuidString
  private let acknowledged = Tally()

  init(submits: Bool) { self.submits = submits }

  /// - Returns: Whether the daemon was gone before all was done.
  func use(_ site: Site, data: URL, wrapper: [String] = [], killedAfter limit: Duration? = nil) async throws -> Bool {
    do {
      try await DaemonProcess.run(site, data: data, wrapper: wrapper, killedAfter: limit) { daemon in
        if submits { acknowledged.note(try await daemon.submit(key: key)) }
        for job in try await daemon.jobs() { _ = try await daemon.ended(job.id) }
      }
      return false
    } catch ClientError.unreachable, DaemonProcess.Failure.ended {
      return true
    }
  }

  /// What is wrong after another start, undisturbed.
  func findings(_ site: Site, data: URL, expected: [String: String], job: JobID?) async throws -> [String] {
    do {
      return try await DaemonProcess.run(site, data: data) { daemon in
        if submits { acknowledged.note(try await daemon.submit(key: key)) }
        let jobs = Set([job].compactMap { $0 }).union(acknowledged.jobs)
        var findings = jobs.count == 1 ? [] : ["one Idempotency-Key made the jobs \(jobs)"]
        if try await daemon.jobs().count != 1 { findings.append("there are \(try await daemon.jobs().count) jobs, not one") }
        return findings + (try await Aftermath(daemon: daemon, expected: expected, acknowledged: jobs).findings())
      }
    } catch let failure as DaemonProcess.Failure {
      return ["\(failure)"]
    }
  }
}
