import Foundation
import Synchronization

/// A PID namespace whose first process starts what it reads from a socket.
///
/// When the socket closes, which the kernel sees to however the tests end, that process kills all others in the namespace and
/// removes the folder.
final class SlurmSupervisor: Sendable {
  struct Entry {
    let pid: pid_t
    let commandLine: String

    /// The node whose job it belongs to; nil for daemons.
    var node: String? {
      let data = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/environ"))) ?? Data()
      let name = "SLURMD_NODENAME="
      return data.split(separator: 0).lazy.map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix(name) }
        .map { String($0.dropFirst(name.count)) }
    }

    var parent: pid_t? {
      let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
      return status.split(separator: "\n").first { $0.hasPrefix("PPid:") }?.split(separator: "\t").last.flatMap { pid_t($0) }
    }

    /// Whether it is one of Slurm's or munge's own.
    var isSlurm: Bool {
      commandLine.hasPrefix("slurm") || commandLine.hasPrefix("munged ") || commandLine.contains(" slurmscriptd")
        || commandLine.contains("slurmstepd: [")
    }
  }

  private static let script = """
    while read -r line; do eval "exec $line" & done
    kill -KILL -1
    cd / && rm -rf -- "$0"
    """

  /// Without what an outer Slurm, or its settings, would tell commands, and with the daemons' folders in the path.
  static let cleanEnvironment: [String: String] = {
    let prefixes = ["SLURM", "SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SCONTROL_", "PMIX_", "OMPI_"]
    var variables = ProcessInfo.processInfo.environment.filter { variable in !prefixes.contains { variable.key.hasPrefix($0) } }
    variables["PATH"] = path
    return variables
  }()

  private static let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"

  private let process = Process()
  private let commands: Mutex<FileHandle?>
  private let folder: URL
  /// Of the namespace, as `/proc/PID/ns/pid` shows it.
  private let namespace: Mutex<String?> = Mutex(nil)

  /// - Parameter folder: Removed at the end; its path needs no quoting in a shell.
  init(folder: URL) throws {
    self.folder = folder
    var ends: [Int32] = [-1, -1]
    // A pipe can't be kept from what other threads start at this moment; the socket has to close with this process.
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw SlurmCluster.Failure(description: "no socket: \(String(cString: strerror(errno)))")
    }
    let input = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
    commands = Mutex(FileHandle(fileDescriptor: ends[1], closeOnDealloc: true))
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", Self.script, folder.path]
    process.environment = Self.cleanEnvironment.merging(["TMPDIR": folder.appending(path: "tmp").path]) { $1 }
    process.currentDirectoryURL = folder
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    try input.close()
  }

  /// Starts a program in the namespace.
  ///
  /// - Parameters:
  ///   - command: Words without any special meaning in a shell.
  ///   - log: File in the folder `log` for what it prints.
  func start(_ command: [String], log: String) throws {
    let line = command.joined(separator: " ") + " >>\(folder.path)/log/\(log) 2>&1 </dev/null\n"
    let sent = commands.withLock { commands in
      line.withCString { send(commands?.fileDescriptor ?? -1, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }
    if sent < 0 { throw SlurmCluster.Failure(description: "\(command[0]) can't be started: \(String(cString: strerror(errno)))") }
  }

  /// Closes the socket and waits until all is gone.
  func end() async {
    commands.withLock {
      try? $0?.close()
      $0 = nil
    }
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        self.process.waitUntilExit()
        continuation.resume()
      }
    }
  }

  /// What runs in the namespace, under the ids that it has outside.
  func processes() -> [Entry] {
    guard let namespace = knownNamespace() else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { name in
      guard let pid = pid_t(name), Self.namespace(of: pid) == namespace,
        let text = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")), !text.isEmpty
      else { return nil }
      let words = text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return Entry(pid: pid, commandLine: words.joined(separator: " "))
    }
  }

  private func knownNamespace() -> String? {
    namespace.withLock { namespace in
      if namespace == nil {
        let link = "/proc/\(process.processIdentifier)/ns/pid_for_children"
        namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
      }
      return namespace
    }
  }

  private static func namespace(of pid: pid_t) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/ns/pid")
  }

  static func isInstalled(_ program: String) -> Bool {
    path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }

  static let isAllowed: Bool = {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true"]
    process.standardError = FileHandle.nullDevice
    return (try? process.run()).map { process.waitUntilExit() } != nil && process.terminationStatus == 0
  }()
}
