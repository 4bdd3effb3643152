import Foundation
import Testing

/// A shell that somebody types into, with gptqctl's completions as they are installed.
enum InteractiveShell: String, CaseIterable, Sendable {
  case bash, zsh, fish

  /// Where the build has it.
  static let client: URL = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(filePath: tests).deletingLastPathComponent().appending(component: "gptqctl")
  }()

  var isInstalled: Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(rawValue)") }
  }

  /// What the command line is after keys were typed, the last of which are tabs.
  ///
  /// - Parameter folder: For files of the session.
  func line(after keys: String, environment: [String: String], in folder: URL) async throws -> String {
    let session = folder.appending(component: "\(rawValue)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: session, withIntermediateDirectories: true)
    let script = try await Program.run([Self.client.path, "--generate-completion-script", rawValue])
    try #require(script.status == 0)
    let (ready, line) = (session.appending(component: "ready"), session.appending(component: "line"))
    try write(script.output, to: session, ready: ready.path, line: line.path)
    let path = Self.client.deletingLastPathComponent().path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    // A terminal; what is typed is this process's input.
    process.arguments = ["timeout", "--kill-after=1", "120", "script", "--quiet", "--return", "--command", command(session), "/dev/null"]
    process.environment = ["PATH": path, "HOME": session.path, "TERM": "dumb", "ZDOTDIR": session.path].merging(environment) { $1 }
    let input = Pipe()
    (process.standardInput, process.standardOutput, process.standardError) = (input, FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    defer { process.terminate() }
    try await wait(for: ready, while: process)
    // Ctrl-X writes the line down.
    try input.fileHandleForWriting.write(contentsOf: Data((keys + "\u{18}").utf8))
    try await wait(for: line, while: process)
    return try String(contentsOf: line, encoding: .utf8).trimmingCharacters(in: .newlines)
  }

  private func command(_ session: URL) -> String {
    switch self {
    case .bash: "bash --noprofile --rcfile '\(session.path)/rc' -i"
    case .zsh: "zsh -i"
    case .fish: "fish --no-config -i --init-command 'source \(session.path)/rc'"
    }
  }

  private func write(_ script: String, to session: URL, ready: String, line: String) throws {
    func file(_ name: String, _ text: String) throws { try Data(text.utf8).write(to: session.appending(component: name)) }
    switch self {
    case .bash:
      try file("completions", script)
      try file(
        "rc",
        """
        source '\(session.path)/completions'
        write_line() { printf '%s' "$READLINE_LINE" > '\(line).part' && mv '\(line).part' '\(line)'; }
        bind -x '"\\C-x": write_line'
        PROMPT_COMMAND='touch "\(ready)"'
        """)
    case .zsh:
      try file("_gptqctl", script)
      try file(
        ".zshrc",
        """
        fpath=('\(session.path)' $fpath)
        autoload -Uz compinit && compinit -u -D
        write_line() { print -rn -- "$BUFFER" > '\(line).part' && mv '\(line).part' '\(line)' }
        zle -N write_line && bindkey '^X' write_line
        zle-line-init() { touch '\(ready)' }
        zle -N zle-line-init
        """)
    case .fish:
      try file(
        "rc",
        script + """

          bind \\cx 'commandline > \(line).part; mv \(line).part \(line)'
          function fish_prompt; touch \(ready); end
          """)
    }
  }

  private func wait(for file: URL, while process: Process) async throws {
    while !FileManager.default.fileExists(atPath: file.path) {
      try #require(process.isRunning, "\(rawValue) ended")
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
