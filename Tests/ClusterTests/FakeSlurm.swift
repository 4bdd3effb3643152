import Foundation

/// Slurm's programs as scripts over a file: the test is the controller and the nodes.
final class FakeSlurm: Sendable {
  let folder: URL

  init() throws {
    folder = try TemporaryFolder.make()
    let begin = """
      #!/bin/sh
      d=$(dirname "$0")
      echo "$(basename "$0") $*" >> "$d/calls"
      if [ -f "$d/down" ]; then echo "error: Unable to contact slurm controller (connect failure)" >&2; exit 1; fi
      exec 9> "$d/lock"; flock 9

      """
    try write(
      "sbatch",
      begin + """
        if [ -f "$d/refuse" ]; then cat "$d/refuse" >&2; exit 1; fi
        for word in "$@"; do case "$word" in --job-name=*) name="${word#*=}";; esac; done
        id=$(( $(cat "$d/last" 2>/dev/null || echo 0) + 1 ))
        echo $id > "$d/last"
        [ -f "$d/forget" ] || echo "$id|$name|PENDING||Priority|0|" >> "$d/queue"
        echo $id

        """)
    try write("squeue", begin + "cat \"$d/queue\" 2>/dev/null || true\n")
    try write(
      "scancel",
      begin + """
        touch "$d/queue"
        for word in "$@"; do
          case "$word" in
            --name=*) sed -i -E "s/^([0-9]+\\|${word#*=})\\|[A-Z]+\\|([^|]*)\\|[^|]*\\|[0-9]*/\\1|CANCELLED|\\2|None|0/" "$d/queue";;
            --*) ;;
            *) sed -i -E "s/^($word\\|[^|]*)\\|[A-Z]+\\|([^|]*)\\|[^|]*\\|[0-9]*/\\1|CANCELLED|\\2|None|0/" "$d/queue";;
          esac
        done

        """)
    // set NAME STATE NODE REASON EXIT; STATE nothing: the controller forgets it.
    try write(
      "set",
      begin.replacing("if [ -f \"$d/down\" ]", with: "if false") + """
        if [ -z "$2" ]; then sed -i "/|$1|/d" "$d/queue"; exit 0; fi
        sed -i -E "s/^([0-9]+\\|$1)\\|.*/\\1|$2|$3|$4|$5|/" "$d/queue"

        """)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ name: String, _ text: String) throws {
    let file = folder.appending(component: name)
    try Data(text.utf8).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
  }

  private func run(_ words: [String]) throws {
    let process = Process()
    process.executableURL = folder.appending(component: words[0])
    process.arguments = Array(words.dropFirst())
    try process.run()
    process.waitUntilExit()
  }

  /// - Parameter exitCode: As `wait` gives it.
  func set(_ name: String, _ state: String, node: String = "n1", reason: String = "None", exitCode: Int = 0) throws {
    try run(["set", name, state, node, reason, "\(exitCode)"])
  }

  /// What a controller does that crashes.
  func forget(_ name: String) throws { try run(["set", name, ""]) }

  /// A job that the daemon knows nothing of.
  func add(_ name: String) throws { try write("queue", queue + "999|\(name)|RUNNING|n1|None|0|\n") }

  var queue: String { (try? String(contentsOf: folder.appending(component: "queue"), encoding: .utf8)) ?? "" }

  func state(_ name: String) -> String? {
    queue.split(separator: "\n").last { $0.contains("|\(name)|") }.map { String($0.split(separator: "|")[2]) }
  }

  /// Calls of a program.
  func calls(_ program: String) -> [String] {
    let text = (try? String(contentsOf: folder.appending(component: "calls"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").filter { $0.hasPrefix(program + " ") }.map(String.init)
  }

  /// - Parameter mode: `down`: nothing answers; `forget`: what is submitted is lost at once.
  func turn(_ mode: String, on isOn: Bool) throws {
    let file = folder.appending(component: mode)
    if isOn { try Data().write(to: file) } else { try? FileManager.default.removeItem(at: file) }
  }

  func refuse(_ words: String) throws { try Data(words.utf8).write(to: folder.appending(component: "refuse")) }
}
