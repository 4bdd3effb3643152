import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Jobs on a real Slurm of two nodes on this machine, whose parts are killed: each ends once, with the bytes of a job without Slurm.
  @Suite(.serialized, .enabled(if: SlurmSite.isAsked)) struct SlurmTests {
    @Test("Eight jobs on two nodes give what they give here")
    func eightJobs() async throws {
      try await SlurmSite.run { site in
        let requests = (0..<8).map { SlurmSite.request(seed: $0) }
        let expected = try await site.local(requests)
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          var jobs: [JobID] = []
          for request in requests { jobs.append(try await daemon.submit(request)) }
          var nodes: Set<String> = []
          for (id, files) in zip(jobs, expected) {
            let job = try await daemon.ended(id)
            #expect(try SlurmSite.files(of: job) == files)
            #expect(job.attempt == 1 && job.interruptions.isEmpty && job.slurm?.state == "COMPLETED")
            #expect(JobSummary(job).text.contains(try Regex("slurm +job [0-9]+, COMPLETED, on n[12]")))
            nodes.insert(job.slurm?.nodes ?? "")
          }
          print("slurm: 8 jobs on \(nodes.sorted()), the bytes of local ones: \(expected.map { $0["model.safetensors"]?.prefix(8) ?? "" })")
          let metrics = String(decoding: try await daemon.client.send("GET", "/metrics").body, as: UTF8.self)
          #expect(metrics.contains("gptqd_cluster_submissions_total 8\n") && metrics.contains("gptqd_cluster_requeues_total 0\n"))
          #expect(metrics.contains("gptqd_cluster_fenced_attempts_total 0\n"))
        }
      }
    }

    @Test("slurmctld killed right after submissions: what it forgot is submitted again")
    func controllerKilled() async throws {
      try await SlurmSite.run { site in
        let requests = (0..<4).map { SlurmSite.request(seed: $0) }
        let expected = try await site.local(requests)
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          var jobs: [JobID] = []
          for request in requests { jobs.append(try await daemon.submit(request)) }
          let deadline = ContinuousClock.now + .seconds(30)
          while ContinuousClock.now < deadline, try await daemon.job(jobs[3]).slurm?.id == nil {
            try await Task.sleep(for: .milliseconds(5))
          }
          try await site.cluster.kill(.controller)
          try await Task.sleep(for: .seconds(2))
          try await site.cluster.start(.controller)
          try await site.expect(jobs, expected, daemon, "slurmctld killed right after 4 submissions")
        }
      }
    }

    @Test("slurmd killed mid-block: the job goes on elsewhere from its finished blocks, the worker that was left is fenced")
    func nodeKilled() async throws {
      try await SlurmSite.run { site in
        let request = SlurmSite.request(samples: 512)
        let expected = try await site.local([request])
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          let id = try await daemon.submit(request)
          let job = try await site.progress(of: id, daemon, layers: 9)
          let node = try #require(job.slurm?.nodes)
          let worker = try await site.workers(of: id)
          try await site.cluster.kill(.node(node))
          let ended = try await site.expect([id], expected, daemon, "slurmd of \(node) killed mid-block")[0]
          #expect(ended.attempt == 2 && ended.interruptions.count == 1 && ended.slurm?.nodes != node)
          // Blocks that were done weren't done again.
          let first = try await daemon.client.get(
            APIList<AttemptRecord>.self, "/v1/jobs/\(id)/attempts?layer=model.layers.0.mlp.down_proj&limit=100")
          #expect(Set(first.data.map(\.jobAttempt)) == [1])
          let gone = ContinuousClock.now + .seconds(20)
          while kill(worker[0], 0) == 0, ContinuousClock.now < gone { try await Task.sleep(for: .milliseconds(50)) }
          #expect(kill(worker[0], 0) != 0, "the fenced worker still runs")
        }
      }
    }

    @Test("A worker killed mid-block costs that block")
    func workerKilled() async throws {
      try await SlurmSite.run { site in
        let request = SlurmSite.request(samples: 128)
        let expected = try await site.local([request])
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          let id = try await daemon.submit(request)
          _ = try await site.progress(of: id, daemon, layers: 9)
          for pid in try await site.workers(of: id) { kill(pid, SIGKILL) }
          let job = try await site.expect([id], expected, daemon, "the worker killed mid-block")[0]
          #expect(job.attempt == 2 && job.interruptions.count == 1)
        }
      }
    }

    @Test("The daemon killed at several moments: jobs go on without it, and are taken up where they are")
    func daemonKilled() async throws {
      try await SlurmSite.run { site in
        let requests = (0..<3).map { SlurmSite.request(samples: 64, seed: $0) }
        let expected = try await site.local(requests)
        let data = site.site.newDataFolder()
        var jobs: [JobID] = []
        // Right after the answer, and in the midst of the work.
        for (index, request) in requests.enumerated() {
          try await site.daemon(data: data) { daemon in
            jobs.append(try await daemon.submit(request))
            if index > 0 { _ = try await site.progress(of: jobs[0], daemon, layers: 3 * index) }
          }
        }
        try await Task.sleep(for: .seconds(2))
        let known = jobs
        try await site.daemon(data: data) { daemon in
          for job in try await site.expect(known, expected, daemon, "the daemon killed 3 times") { #expect(job.interruptions.isEmpty) }
        }
      }
    }

    @Test("Cancel ends the work on its node, and takes what waits out of Slurm's queue")
    func cancel() async throws {
      try await SlurmSite.run { site in
        // Each takes a node, so that the third waits.
        try await site.daemon(data: site.site.newDataFolder(), ["GPTQD_SLURM_CPUS": "2"]) { daemon in
          var jobs: [JobID] = []
          for seed in 0..<3 { jobs.append(try await daemon.submit(SlurmSite.request(samples: 512, seed: seed))) }
          let pid = try await site.workers(of: jobs[0])[0]
          _ = try await site.workers(of: jobs[1])
          for id in jobs { _ = try await daemon.client.send("POST", "/v1/jobs/\(id)/cancel") }
          for id in jobs { #expect(try await daemon.ended(id).status == .cancelled) }
          let deadline = ContinuousClock.now + .seconds(20)
          while ContinuousClock.now < deadline, kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(50)) }
          #expect(kill(pid, 0) != 0)
          try await site.cluster.becomesIdle(within: .seconds(20))
          print("slurm: 3 jobs cancelled; Slurm has \(try await site.cluster.jobs().map(\.state))")
        }
      }
    }

    @Test("Two nodes give the bytes of one; a rank that is killed costs its block")
    func twoNodes() async throws {
      try await SlurmSite.run { site in
        let requests = [SlurmSite.request(samples: 64, nodes: 2), SlurmSite.request(samples: 512, seed: 1, nodes: 2)]
        let expected = try await site.local(requests)
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          let undisturbed = try await daemon.ended(daemon.submit(requests[0]))
          #expect(try SlurmSite.files(of: undisturbed) == expected[0], "\(JobSummary(undisturbed).text)")
          #expect(undisturbed.attempt == 1 && undisturbed.slurm?.nodes == "n[1-2]")
          let id = try await daemon.submit(requests[1])
          _ = try await site.progress(of: id, daemon, layers: 9)
          let ranks = try await site.workers(of: id, count: 2)
          kill(ranks[1], SIGKILL)
          let job = try await site.expect([id], [expected[1]], daemon, "a rank of two killed mid-block")[0]
          #expect(job.attempt == 2 && job.interruptions.count == 1)
        }
      }
    }

    @Test("Slurm absent at the start: jobs wait, say why, and begin when it is there")
    func absentAtStart() async throws {
      try await SlurmSite.run { site in
        let request = SlurmSite.request()
        let expected = try await site.local([request])
        try await site.cluster.kill(.controller)
        try await site.daemon(data: site.site.newDataFolder()) { daemon in
          let id = try await daemon.submit(request)
          let deadline = ContinuousClock.now + .seconds(60)
          while ContinuousClock.now < deadline, try await daemon.job(id).slurm?.unreachable == nil {
            try await Task.sleep(for: .milliseconds(100))
          }
          let waiting = try await daemon.job(id)
          #expect(waiting.status == .queued)
          print("slurm: absent: \(JobSummary(waiting).text.split(separator: "\n").first { $0.hasPrefix("slurm") } ?? "")")
          try await site.cluster.start(.controller)
          let job = try await site.expect([id], expected, daemon, "Slurm absent at the start")[0]
          #expect(job.attempt == 1 && job.interruptions.isEmpty)
        }
      }
    }
  }
}

extension SlurmSite {
  /// Each job ends once, with the expected files, and leaves nothing.
  @discardableResult
  func expect(
    _ jobs: [JobID], _ expected: [[String: String]], _ daemon: DaemonProcess, _ what: String, _ location: SourceLocation = #_sourceLocation
  ) async throws -> [Job] {
    var ended: [Job] = []
    for (id, files) in zip(jobs, expected) {
      let job = try await daemon.ended(id, within: .seconds(240))
      #expect(job.status == .succeeded, "\(JobSummary(job).text)", sourceLocation: location)
      #expect((try? Self.files(of: job)) == files, sourceLocation: location)
      let statuses = try await daemon.client.get(APIList<JobEvent>.self, "/v1/jobs/\(id)/events?limit=1000").data
        .filter { $0.kind == .status }.compactMap { $0.data["status"]?.stringValue }
      #expect(statuses.count { $0 == "succeeded" } == 1, "\(statuses)", sourceLocation: location)
      ended.append(job)
    }
    for name in ["attempts", "work"] {
      let left = try FileManager.default.contentsOfDirectory(atPath: daemon.data.appending(component: name).path)
      #expect(left.isEmpty, "\(name) has \(left)", sourceLocation: location)
    }
    let attempts = ended.map { "\($0.attempt)" }.joined(separator: ", ")
    let reasons = Set(ended.flatMap { $0.interruptions.compactMap(\.reason) })
    print("slurm: \(what): \(jobs.count) succeeded, the bytes of local ones; attempts \(attempts) \(reasons.sorted())")
    return ended
  }
}
