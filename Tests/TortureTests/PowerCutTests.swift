import Foundation
import JobModel
import Testing

extension DaemonTorture {
  /// Power cuts, which kill -9 can't stand for: it leaves what was written and not synchronized.
  @Suite(.serialized, .enabled(if: Strace.isAllowed)) struct PowerCutTests {
    @Test("After a power cut at any moment acknowledged jobs are there, artifacts complete or absent, and results the same")
    func anyMoment() async throws {
      try await Site.run { site in
        let trace = try await PowerCutTrace.record(site, jobs: Torture.isLong ? 3 : 1)
        var cuts: [PowerCutTrace.Cut] = []
        try await trace.replay { cut, _ in cuts.append(cut) }
        #expect(cuts.count > 100, "the trace shows too little")
        #expect(cuts.last?.acknowledged == Set(trace.published.keys))
        let resumed = Set(cuts.spread(Torture.resumedPowerCuts))
        let chosen = resumed.union(cuts.spread(Torture.inspectedPowerCuts))
        var toResume: [(PowerCutTrace.Cut, URL)] = []
        try await trace.replay(chosen) { cut, disk in
          let data = site.newDataFolder()
          try cut.leave(disk, in: data)
          let findings = try await trace.findings(cut, in: data)
          #expect(findings.isEmpty, "\(cut)")
          try FileManager.default.removeItem(at: data)
          guard resumed.contains(cut) else { return }
          try cut.leave(disk, in: data)
          toResume.append((cut, data))
          if toResume.count == 2 {
            try await Self.resume(toResume, site, trace)
            toResume = []
          }
        }
        try await Self.resume(toResume, site, trace)
        print("torture: \(cuts.count) power cuts, \(chosen.count) inspected, \(resumed.count) resumed to the end")
      }
    }

    /// Runs the daemon on what is left.
    private static func resume(_ cuts: [(PowerCutTrace.Cut, URL)], _ site: Site, _ trace: PowerCutTrace) async throws {
      let expected = try #require(trace.published.values.first)
      try await concurrently(cuts.map { Left(cut: $0.0, data: $0.1) }) { left in
        let findings: [String]
        do {
          findings = try await DaemonProcess.run(site, data: left.data) { daemon in
            try await Aftermath(daemon: daemon, expected: expected, acknowledged: left.cut.acknowledged).findings()
          }
        } catch let failure as DaemonProcess.Failure {
          findings = ["\(failure)"]
        }
        #expect(findings.isEmpty, "\(left.cut), then a start")
        try FileManager.default.removeItem(at: left.data)
      }
    }

    private struct Left: Sendable {
      let cut: PowerCutTrace.Cut
      let data: URL
    }

    @Test("A data folder that the daemon made is there after a power cut, and the acknowledged job in it")
    func newFolder() async throws {
      try await Site.run { site in
        let trace = try await PowerCutTrace.record(site, jobs: 1, isThere: false)
        try await trace.replayEnd { cut, disk in
          let left = site.newDataFolder()
          try cut.leave(disk, in: left)
          let findings = try await trace.findings(cut, in: left.appending(component: "data"))
          #expect(findings.isEmpty, "\(cut)")
        }
      }
    }

    @Test("Blocks that were finished are there after a power cut")
    func finishedBlocks() async throws {
      try await Site.run { site in
        let trace = try await PowerCutTrace.record(site, jobs: 1)
        let job = try #require(trace.published.keys.first)
        var cuts = 0
        var missing: Set<String> = []
        try await trace.replay { cut, disk in
          guard cut.loss == .everything, let block = trace.calls.prefix(cut.position).lastFinishedBlock else { return }
          // Removed at the end.
          guard !cut.name.contains("artifact"), !cut.name.hasPrefix("unlink"), cut.position <= trace.calls.lastBlockEnd else { return }
          let left = site.newDataFolder()
          try cut.leave(disk, in: left)
          let file = left.appending(path: "work/\(job)/blocks/\(block)")
          if !FileManager.default.fileExists(atPath: file.path) { missing.insert(block) }
          cuts += 1
          try FileManager.default.removeItem(at: left)
        }
        #expect(missing.isEmpty, "after some of \(cuts) power cuts")
        #expect(cuts > 0)
      }
    }

    @Test(
      "The model finds the loss where files aren't synchronized, so it can fail",
      arguments: [("-wal", "is lost"), ("/model.safetensors", "is incomplete"), ("/artifacts", "is incomplete")])
    func selfCheck(unsynchronized: String, finding: String) async throws {
      try await Site.run { site in
        let trace = try await PowerCutTrace.record(site, jobs: 1).withoutSyncs(of: unsynchronized)
        var findings: [String] = []
        try await trace.replayEnd { cut, disk in
          let data = site.newDataFolder()
          try cut.leave(disk, in: data)
          findings += try await trace.findings(cut, in: data)
        }
        #expect(findings.contains { $0.contains(finding) }, "\(findings)")
      }
    }
  }
}

extension Collection<SystemCall> {
  /// The file of the block whose name was made durable last.
  fileprivate var lastFinishedBlock: String? {
    var renamed: String?
    var finished: String?
    for call in self {
      let path = call.paths.last ?? ""
      if call.name.hasPrefix("rename"), path.contains("/blocks/block-") { renamed = path.split(separator: "/").last.map(String.init) }
      if call.name == "fsync", path.hasSuffix("/blocks") { finished = renamed }
    }
    return finished
  }
}

extension [SystemCall] {
  /// The position behind that at which the last block was finished.
  fileprivate var lastBlockEnd: Int { (lastIndex { $0.name == "fsync" && $0.paths.last?.hasSuffix("/blocks") == true } ?? 0) + 2 }
}
