import Foundation

/// Slurm for tests: munged, slurmctld and one slurmd a node, all on this host's loopback, below a folder of their own.
///
/// They live in a PID namespace (see ``SlurmSupervisor``), so that nothing of them, slurmstepd and jobs' processes included, outlives
/// the tests, whatever ends those. Commands from outside work with ``environment``. The processes are visible outside, under other
/// ids than they see themselves: as with real nodes, an id that a job wrote down means nothing here. Files are the same.
final class SlurmCluster: Sendable {
  enum Daemon: Hashable, Sendable {
    case controller
    case node(String)
  }

  /// A job as `squeue` shows it.
  struct Job: Hashable, Sendable {
    let id: Int
    let name: String
    /// `PENDING`, `RUNNING`, `COMPLETED`, …
    let state: String
    /// Empty before the job was allocated a node.
    let node: String
    /// `None`, or why it waits or failed.
    let reason: String
    /// How often it was requeued.
    let restarts: Int
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Removed at the end.
  let folder: URL
  /// `n1`, `n2`, …
  let nodes: [String]
  /// Makes `sbatch`, `squeue`, `scancel` and `srun` talk to this cluster; to be added to the environment of what runs them.
  let environment: [String: String]

  private let supervisor: SlurmSupervisor

  /// Returns when all nodes are idle, after about two seconds.
  ///
  /// - Parameters:
  ///   - memoryPerNode: In MiB, what jobs can ask for. Nothing enforces it.
  ///   - options: Lines of slurm.conf to add or replace, by name. With `["SchedulerType": "sched/builtin"]` the controller saves within
  ///     5 s that a job runs; what the usual backfill scheduler starts it saves at the next other event, and starts again if it is
  ///     killed before.
  init(nodes count: Int = 2, cpusPerNode: Int = 2, memoryPerNode: Int = 8000, options: [String: String] = [:]) async throws {
    if let missing = Self.requirements() { throw Failure(description: missing) }
    nodes = (1...count).map { "n\($0)" }
    folder = try Self.makeFolder()
    environment = ["SLURM_CONF": folder.appending(path: "slurm.conf").path]
    try SlurmConfiguration(folder: folder, nodes: nodes, cpus: cpusPerNode, memory: memoryPerNode, options: options).write()
    supervisor = try SlurmSupervisor(folder: folder)
    do {
      try await startAll()
    } catch {
      let log = log()
      await stop()
      throw Failure(description: "\(error)\n\(log)")
    }
  }

  /// Ends all processes, jobs' too, and removes the folder.
  func stop() async { await supervisor.end() }

  /// Kills a daemon by SIGKILL. What jobs run there runs on.
  func kill(_ daemon: Daemon) async throws {
    for pid in pids(of: daemon) { Foundation.kill(pid, SIGKILL) }
    try await wait(upTo: .seconds(30), for: "\(daemon) to be gone") { self.pids(of: daemon).isEmpty }
  }

  /// Kills by SIGKILL all that runs on a node: its slurmd, slurmstepd and jobs.
  func cutPower(of node: String) async throws {
    try await kill(.node(node))
    let all = supervisor.processes()
    let jobs = all.filter { $0.node == node }
    let parents = Set(jobs.compactMap(\.parent))
    let steps = all.filter { $0.commandLine.hasPrefix("slurmstepd: [") && parents.contains($0.pid) }
    let lost = Set((steps + jobs).map(\.pid))
    for pid in lost { Foundation.kill(pid, SIGKILL) }
    try await wait(upTo: .seconds(30), for: "all of \(node) to be gone") {
      self.supervisor.processes().allSatisfy { !lost.contains($0.pid) }
    }
  }

  /// Starts a daemon again, with what it saved, and waits until it answers; a node can still be down for some seconds then.
  func start(_ daemon: Daemon) async throws {
    guard pids(of: daemon).isEmpty else { return }
    try launch(daemon)
    switch daemon {
    case .controller: try await wait(upTo: .seconds(60), for: "slurmctld to answer") { await self.isAnswering }
    case .node: try await wait(upTo: .seconds(60), for: "\(daemon) to run") { !self.pids(of: daemon).isEmpty }
    }
  }

  /// Waits until all nodes can take jobs and have none.
  func becomesIdle(within limit: Duration = .seconds(60)) async throws {
    try await wait(upTo: limit, for: "nodes \(nodes) to be idle") {
      let states = try? await self.nodeStates()
      return states == Dictionary(uniqueKeysWithValues: self.nodes.map { ($0, "idle") })
    }
  }

  /// `idle`, `mixed`, `allocated`, `down`, `drained`, … by node, with a `*` where a node doesn't answer.
  func nodeStates() async throws -> [String: String] {
    let rows = try await table(["sinfo", "--noheader", "--Node", "--format=%N|%T"], columns: 2)
    return Dictionary(rows.map { ($0[0], $0[1]) }) { $1 }
  }

  /// All that the controller knows of; ended jobs too, for `MinJobAge` seconds.
  func jobs() async throws -> [Job] {
    let format = "JobID:|,Name:|,State:|,NodeList:|,Reason:|,RestartCnt:|"
    return try await table(["squeue", "--states=all", "--noheader", "--sort=i", "--Format=\(format)"], columns: 6).map {
      Job(id: Int($0[0]) ?? 0, name: $0[1], state: $0[2], node: $0[3], reason: $0[4], restarts: Int($0[5]) ?? 0)
    }
  }

  /// Whether the controller runs and answers; known at once where it doesn't run.
  var isAnswering: Bool {
    get async { (try? await run(["scontrol", "ping"])) != nil }
  }

  /// Processes of jobs, as ids that `kill` takes here, whose command line contains a text.
  func workers(_ text: String) -> [pid_t] {
    supervisor.processes().filter { !$0.isSlurm && $0.commandLine.contains(text) }.map(\.pid)
  }

  /// Ids here of a daemon's processes.
  func pids(of daemon: Daemon) -> [pid_t] {
    let start = command(of: daemon).joined(separator: " ")
    return supervisor.processes().filter { $0.commandLine.hasPrefix(start) }.map(\.pid)
  }

  /// Runs a command of Slurm against this cluster.
  ///
  /// - Returns: Its standard output.
  /// - Throws: ``Failure`` with its standard error where its status isn't 0.
  @discardableResult
  func run(_ command: [String], limit: Int = 60) async throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["timeout", "--kill-after=5", "\(limit)"] + command
    process.environment = SlurmSupervisor.cleanEnvironment.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    async let text = onThread { String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    async let message = onThread { String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    let (printed, complaint) = await (text, message)
    await onThread { process.waitUntilExit() }
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(command.joined(separator: " ")): status \(process.terminationStatus): \(complaint)\(printed)")
    }
    return printed
  }

  /// The last lines of all daemons' logs, for messages.
  func log(lines: Int = 12) -> String {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "log").path)) ?? []
    return files.sorted().map { file in
      let data = (try? Data(contentsOf: folder.appending(path: "log/\(file)"))) ?? Data()
      return "== \(file)\n" + String(decoding: data, as: UTF8.self).split(separator: "\n").suffix(lines).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// What a test of Slurm needs and this machine hasn't; nil: nothing.
  static func requirements() -> String? {
    let packages = [
      "munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "unshare": "util-linux", "bash": "bash",
    ]
    let missing = packages.filter { !SlurmSupervisor.isInstalled($0.key) }.values.sorted()
    if !missing.isEmpty { return "Slurm can't be tested here: apt-get install \(missing.joined(separator: " "))" }
    if getuid() != 0 { return "Slurm can't be tested here: its daemons have to be started by root" }
    if !SlurmSupervisor.isAllowed { return "Slurm can't be tested here: PID namespaces (unshare --pid --mount-proc) are not allowed" }
    return nil
  }

  private func startAll() async throws {
    let socket = folder.appending(path: "munge.sock").path
    try supervisor.start(
      [
        "munged", "--foreground", "--force", "--socket=\(socket)", "--key-file=\(path("munge.key"))", "--pid-file=\(path("munged.pid"))",
        "--log-file=\(path("log/munged.log"))", "--seed-file=\(path("munged.seed"))",
      ], log: "munged.out")
    try await wait(upTo: .seconds(30), for: "munged's socket") { FileManager.default.fileExists(atPath: socket) }
    for daemon in [.controller] + nodes.map(Daemon.node) { try launch(daemon) }
    try await becomesIdle()
  }

  private func launch(_ daemon: Daemon) throws {
    try supervisor.start(command(of: daemon), log: "\(command(of: daemon)[0]).out")
  }

  private func command(of daemon: Daemon) -> [String] {
    switch daemon {
    case .controller: ["slurmctld", "-D", "-f", path("slurm.conf")]
    case .node(let name): ["slurmd", "-D", "-N", name, "-f", path("\(name)/slurm.conf")]
    }
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  private func table(_ command: [String], columns: Int) async throws -> [[String]] {
    try await run(command).split(separator: "\n").map { line in
      let row = line.split(separator: "|", omittingEmptySubsequences: false).map { String($0) }
      guard row.count >= columns else { throw Failure(description: "\(command[0]) printed \(line)") }
      return row
    }
  }

  /// Polls for what no event tells.
  private func wait(upTo limit: Duration, for what: String, until isSo: @Sendable () async -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while await !isSo() {
      guard ContinuousClock.now < end else { throw Failure(description: "waited \(limit) for \(what)") }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  private static func makeFolder() throws -> URL {
    var template = Array((NSTemporaryDirectory() + "/slurm-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "no temporary folder: \(String(cString: strerror(errno)))") }
    let path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return URL(filePath: path).resolvingSymlinksInPath()
  }
}

/// Runs what blocks on a thread of its own.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: body()) }
  }
}
