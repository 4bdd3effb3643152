import Cluster
import Foundation
import JobModel
import JobStore
import Testing

/// Jobs over a Slurm that does what the test says.
@Suite struct SlurmExecutorTests {
  @Test("A job runs on a node, and is as it would be here")
  func succeeds() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit(SlurmRequest(cpus: 2))
    try await cluster.daemon { _ in
      try await cluster.job(id) { $0.stage == .waiting }
      let worker = try #require(try await cluster.start(of: id))
      try worker.journal.begin(layers: [TestCluster.layer])
      try worker.journal.stage(.quantizing)
      try worker.journal.attempt(Samples.attempt)
      try worker.journal.warning("careful")
      try await cluster.job(id) { $0.stage == .quantizing && $0.slurm?.state == "RUNNING" && $0.slurm?.nodes == "n1" }
      try worker.succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 1 && job.warnings == ["careful"] && job.interruptions.isEmpty)
      #expect(job.slurm?.state == "COMPLETED" && job.slurm?.id == 1)
    }
    #expect(try String(contentsOf: cluster.folder.appending(path: "artifacts/\(id)/model.safetensors"), encoding: .utf8) == "weights")
    #expect(try await cluster.repository.attempts(of: id, layer: "a").count == 1)
    #expect(cluster.slurm.calls("sbatch").count == 1 && cluster.slurm.calls("sbatch")[0].contains("--cpus-per-task=2"))
    #expect(try await cluster.count(.submissions) == 1)
    #expect(!FileManager.default.fileExists(atPath: cluster.attempt(of: id).url.path))
  }

  @Test("Slurm that doesn't answer fails nothing: jobs stay queued and say why, until it answers")
  func down() async throws {
    let cluster = try TestCluster()
    try cluster.slurm.turn("down", on: true)
    let id = try await cluster.submit()
    try await cluster.daemon { scheduler in
      let waiting = try await cluster.job(id) { $0.slurm?.unreachable != nil }
      #expect(waiting.status == .queued && waiting.slurm?.unreachable?.contains("Unable to contact slurm controller") == true)
      try cluster.slurm.turn("down", on: false)
      // The scheduler looks again by itself, after a while.
      scheduler.wake()
      try #require(try await cluster.start(of: id)).succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.slurm?.unreachable == nil)
    }
  }

  @Test("While Slurm is down, a job that runs is followed to its end")
  func downMeanwhile() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      let worker = try #require(try await cluster.start(of: id))
      try cluster.slurm.turn("down", on: true)
      try await cluster.job(id) { $0.slurm?.unreachable != nil }
      try worker.succeed()
      #expect(try await cluster.job(id) { $0.status.isEnded }.status == .succeeded)
    }
  }

  @Test("A job that Slurm lost before it began is submitted again, and begins once")
  func lostSubmission() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try cluster.slurm.turn("forget", on: true)
    try await cluster.daemon { _ in
      try await eventually { cluster.slurm.calls("sbatch").count >= 2 }
      try cluster.slurm.turn("forget", on: false)
      let worker = try #require(try await cluster.start(of: id))
      // One of the lost ones comes back.
      #expect(try await cluster.start(of: id) == nil)
      try worker.succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 1 && job.interruptions.isEmpty)
    }
  }

  @Test("A job that Slurm forgot while it runs goes on as long as its worker lives")
  func forgotten() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      let worker = try #require(try await cluster.start(of: id))
      try await cluster.job(id) { $0.slurm?.state == "RUNNING" }
      try await cluster.slurm.forget(cluster.name(id))
      try await cluster.job(id) { $0.slurm?.state == "LOST" }
      try worker.succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 1)
    }
    #expect(cluster.slurm.calls("sbatch").count == 1)
  }

  @Test("A worker that dies costs the block at hand: the next attempt has those that were finished, and the first one's words don't count")
  func nodeFailure() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      let first = try #require(try await cluster.start(of: id))
      try first.finishBlock(0)
      try first.journal.stage(.quantizing)
      try await cluster.job(id) { $0.stage == .quantizing }
      try await cluster.slurm.set(cluster.name(id), "NODE_FAIL", reason: "NodeDown")
      let second = try #require(try await cluster.start(2, of: id))
      #expect(second.blocks == ["block-00000.safetensors"])
      // The first one wasn't dead.
      try await eventually { first.session.cancellation.isCancelled }
      try first.journal.warning("from the grave")
      try first.succeed("wrong")
      try second.finishBlock(1)
      try second.succeed("right")
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 2 && job.warnings.isEmpty)
      #expect(job.interruptions.map(\.reason) == ["Slurm ended it: NODE_FAIL (NodeDown)"])
    }
    #expect(try String(contentsOf: cluster.folder.appending(path: "artifacts/\(id)/model.safetensors"), encoding: .utf8) == "right")
    #expect(try await cluster.count(.fencedAttempts) == 1)
    #expect(try await cluster.count(.requeues) == 1)
    #expect(try await cluster.count(.submissions) == 2)
  }

  @Test("A job whose attempts are lost at the same place fails, and says what to change")
  func givesUp() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      for number in 1...3 {
        let worker = try #require(try await cluster.start(number, of: id))
        try worker.journal.stage(.preparing)
        try await cluster.job(id) { $0.stage == .preparing && $0.attempt == number }
        worker.die()
        try await cluster.slurm.set(cluster.name(id, number), "OUT_OF_MEMORY")
      }
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .failed && job.error?.code == "attempts_lost" && job.attempt == 3)
      #expect(job.error?.detail.contains("OUT_OF_MEMORY") == true)
    }
  }

  @Test("Put back into Slurm's queue, a job whose worker is silent is fenced; one whose worker lives goes on")
  func requeued() async throws {
    let cluster = try TestCluster()
    let (dead, alive) = (try await cluster.submit(), try await cluster.submit())
    try await cluster.daemon { _ in
      let (first, second) = (try #require(try await cluster.start(of: dead)), try #require(try await cluster.start(of: alive)))
      first.die()
      for id in [dead, alive] { try await cluster.slurm.set(cluster.name(id), "PENDING", node: "", reason: "BeginTime") }
      let next = try #require(try await cluster.start(2, of: dead))
      // The second start of the other finds the first one's mark.
      #expect(try await cluster.start(of: alive) == nil)
      try await cluster.slurm.set(cluster.name(alive), "FAILED", reason: "NonZeroExitCode", exitCode: 3 << 8)
      try await Task.sleep(for: .milliseconds(300))
      try second.succeed()
      try next.succeed()
      #expect(try await cluster.job(alive) { $0.status.isEnded }.attempt == 1)
      #expect(try await cluster.job(dead) { $0.status.isEnded }.status == .succeeded)
    }
  }

  @Test("A daemon that stops leaves jobs alone; the next one takes them up where they are")
  func daemonRestarts() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    var running: TestWorker?
    try await cluster.daemon { _ in
      running = try await cluster.start(of: id)
      try running?.journal.warning("before")
      try await cluster.job(id) { $0.warnings == ["before"] }
    }
    let worker = try #require(running)
    #expect(try await cluster.job(id).status == .running)
    try worker.journal.warning("between")
    try worker.succeed()
    try await cluster.daemon { _ in
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 1 && job.warnings == ["before", "between"] && job.interruptions.isEmpty)
    }
    #expect(cluster.slurm.calls("sbatch").count == 1)
  }

  @Test("A daemon that was killed after it gave an attempt up, and before it stored that with the job, starts another one")
  func givenUpOnce() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    var running: TestWorker?
    try await cluster.daemon { _ in
      running = try await cluster.start(of: id)
      try running?.journal.warning("before")
      try await cluster.job(id) { $0.warnings == ["before"] }
    }
    let first = try #require(running)
    try first.session.folder.raiseFence()
    try await eventually { first.session.cancellation.isCancelled }
    try first.session.run { _ in throw CancellationError() }
    let attempt = try await cluster.repository.prepareAttempt(of: id, attempt: 1)
    try await cluster.repository.fence(attempt)
    try await cluster.daemon { _ in
      try #require(try await cluster.start(2, of: id)).succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.attempt == 2 && job.interruptions.count == 1)
    }
  }

  @Test("A daemon that was killed after it published, and before it stored that, publishes once")
  func publishesOnce() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    var running: TestWorker?
    try await cluster.daemon { _ in running = try await cluster.start(of: id) }
    try #require(running).succeed()
    let artifact = cluster.folder.appending(path: "artifacts/\(id)")
    try FileManager.default.moveItem(at: cluster.attempt(of: id).artifact, to: artifact)
    try await cluster.daemon { _ in
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded)
    }
    #expect(FileManager.default.fileExists(atPath: artifact.appending(component: "model.safetensors").path))
  }

  @Test("Cancel reaches the queue and the node", arguments: [false, true])
  func cancel(isStarted: Bool) async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { scheduler in
      try await eventually { try await cluster.slurm.state(cluster.name(id)) == "PENDING" }
      let worker = isStarted ? try await cluster.start(of: id) : nil
      try worker?.finishBlock(0)
      _ = try await cluster.repository.requestCancel(id, now: Date())
      await scheduler.cancel(id)
      if let worker {
        try await eventually { worker.session.cancellation.isCancelled }
        try worker.session.run { _ in throw CancellationError() }
      }
      #expect(try await cluster.job(id) { $0.status.isEnded }.status == .cancelled)
      #expect(try await cluster.slurm.state(cluster.name(id)) == "CANCELLED")
      // Slurm starts it all the same.
      #expect(try TestWorker(cluster.attempt(of: id)) == nil)
    }
    // For a retry.
    #expect(
      FileManager.default.fileExists(atPath: cluster.folder.appending(path: "work/\(id)/blocks/block-00000.safetensors").path) == isStarted)
  }

  @Test("Cancel while Slurm is down ends the job; Slurm hears of it later")
  func cancelWhileDown() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { scheduler in
      try await eventually { try await cluster.slurm.state(cluster.name(id)) == "PENDING" }
      try cluster.slurm.turn("down", on: true)
      _ = try await cluster.repository.requestCancel(id, now: Date())
      await scheduler.cancel(id)
      #expect(try await cluster.job(id) { $0.status.isEnded }.status == .cancelled)
      #expect(try await cluster.slurm.state(cluster.name(id)) == "PENDING")
      try cluster.slurm.turn("down", on: false)
      let other = try await cluster.submit()
      scheduler.wake()
      let worker = try #require(try await cluster.start(of: other))
      try await eventually { try await cluster.slurm.state(cluster.name(id)) == "CANCELLED" }
      try worker.succeed()
      try await cluster.job(other) { $0.status.isEnded }
    }
  }

  @Test("What sbatch refuses for good fails the job with Slurm's words; a retry can ask for something else")
  func refused() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit(SlurmRequest(partition: "nope"))
    try cluster.slurm.refuse("sbatch: error: invalid partition specified: nope\n")
    try await cluster.daemon { scheduler in
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.error?.code == "slurm_refused" && job.error?.detail.contains("invalid partition specified: nope") == true)
      try FileManager.default.removeItem(at: cluster.slurm.folder.appending(component: "refuse"))
      _ = try await cluster.repository.retry(id, RetryRequest(slurm: SlurmRequest(partition: "yes")), now: Date())
      scheduler.wake()
      try #require(try await cluster.start(2, of: id)).succeed()
      #expect(try await cluster.job(id) { $0.status == .succeeded }.attempt == 2)
    }
    #expect(cluster.slurm.calls("sbatch").last?.contains("--partition=yes") == true)
  }

  @Test("Jobs of this database that nobody wants are cancelled; others are left alone")
  func orphans() async throws {
    let cluster = try TestCluster()
    let orphan = try await cluster.name(JobID())
    try cluster.slurm.add(orphan)
    try cluster.slurm.add("gptqd-other-\(JobID())-1")
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      let worker = try #require(try await cluster.start(of: id))
      try await eventually { cluster.slurm.state(orphan) == "CANCELLED" }
      try worker.succeed()
      try await cluster.slurm.set(cluster.name(id), "COMPLETED")
      try await cluster.job(id) { $0.status.isEnded }
    }
    #expect(cluster.slurm.calls("scancel").count == 1)
  }

  @Test("A journal that can't be read costs the attempt, not the daemon")
  func damagedJournal() async throws {
    let cluster = try TestCluster()
    let id = try await cluster.submit()
    try await cluster.daemon { _ in
      let first = try #require(try await cluster.start(of: id))
      let handle = try FileHandle(forWritingTo: first.session.folder.journal)
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("\u{0}\u{0}\n".utf8))
      try #require(try await cluster.start(2, of: id)).succeed()
      let job = try await cluster.job(id) { $0.status.isEnded }
      #expect(job.status == .succeeded && job.interruptions.first?.reason?.contains("journal.jsonl can't be read from byte") == true)
      first.die()
    }
  }
}
