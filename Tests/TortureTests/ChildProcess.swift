import Foundation
import Synchronization

/// A program in a process group of its own. It doesn't outlive the tests, whatever ends them.
final class ChildProcess: Sendable {
  enum Exit: Hashable, Sendable {
    case status(Int32)
    case signal(Int32)
  }

  struct CannotStart: Error, CustomStringConvertible {
    let program: String
    let code: Int32
    var description: String { "\(program) can't be started: \(String(cString: strerror(code)))" }
  }

  /// Put before a program so that the kernel kills it when what started it ends.
  static let bound = ["setpriv", "--pdeathsig", "KILL"]

  /// Whether a program can be run here and ends with status 0.
  static func succeeds(_ command: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.standardError = FileHandle.nullDevice
    return (try? process.run()).map { process.waitUntilExit() } != nil && process.terminationStatus == 0
  }

  let pid: pid_t
  private let state = Mutex(State())

  private struct State {
    var exit: Exit?
    var waiters: [CheckedContinuation<Exit, Never>] = []
  }

  /// - Parameters:
  ///   - command: Looked up in `PATH`.
  ///   - output: File for standard output and error, added to.
  init(_ command: [String], environment: [String: String] = ProcessInfo.processInfo.environment, output: URL) async throws {
    let command = Self.bound + command
    pid = try await SpawningThread.shared.run { Self.spawn(command, environment, output.path) }.get()
    Thread.detachNewThread { self.reap() }
  }

  /// How the process ended; nil while it runs.
  var exit: Exit? { state.withLock { $0.exit } }

  func signal(_ number: Int32) { Foundation.kill(pid, number) }

  /// Ends the whole group.
  func kill() async {
    Foundation.kill(-pid, SIGKILL)
    _ = await ended()
  }

  /// Waits for the end.
  func ended() async -> Exit {
    await withCheckedContinuation { continuation in
      let exit = state.withLock { state in
        if state.exit == nil { state.waiters.append(continuation) }
        return state.exit
      }
      if let exit { continuation.resume(returning: exit) }
    }
  }

  /// Waits for the end; kills what takes longer.
  ///
  /// - Returns: nil where it took longer.
  func ended(within limit: Duration) async -> Exit? {
    let late = Task {
      try await Task.sleep(for: limit)
      Foundation.kill(-pid, SIGKILL)
    }
    let exit = await ended()
    late.cancel()
    if case .success = await late.result { return nil }
    return exit
  }

  private func reap() {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    let exit: Exit = status & 0x7F == 0 ? .status(status >> 8 & 0xFF) : .signal(status & 0x7F)
    let waiters = state.withLock { state in
      state.exit = exit
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: exit) }
  }

  private static func spawn(
    _ command: [String], _ environment: [String: String], _ output: String
  ) -> Result<pid_t, CannotStart> {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    posix_spawnattr_setpgroup(&attributes, 0)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Whatever other tests have open isn't the child's.
    let open = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).compactMap { Int32($0) }
    // Some more, for those that are opened meanwhile.
    for descriptor in 3..<(open.max() ?? 0) + 256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var arguments = command.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in arguments + variables { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, &variables)
    return code == 0 ? .success(pid) : .failure(CannotStart(program: command[0], code: code))
  }
}

/// A thread that stays: the kernel takes the end of the thread that made a child for the end of its parent.
private final class SpawningThread: @unchecked Sendable {
  static let shared = SpawningThread()

  private let condition = NSCondition()
  /// Guarded by `condition`.
  private var tasks: [@Sendable () -> Void] = []

  private init() { Thread.detachNewThread { while true { self.next()() } } }

  func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      condition.withLock {
        tasks.append { continuation.resume(returning: body()) }
        condition.signal()
      }
    }
  }

  private func next() -> @Sendable () -> Void {
    condition.withLock {
      while tasks.isEmpty { condition.wait() }
      return tasks.removeFirst()
    }
  }
}
