import Foundation

/// strace, which stops a process at its system calls: to record them, or to kill the process there.
enum Strace {
  /// What changes files, their names, or what is durable of them. `write` is a socket's too.
  static let changes = [
    "openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "truncate", "fallocate", "fsync",
    "fdatasync", "sync_file_range", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "link",
    "linkat", "symlink", "symlinkat", "copy_file_range", "sendfile",
  ]
  /// What else tells which file, which place in it, and what a client was told.
  static let context = ["close", "lseek", "dup", "dup2", "dup3", "fcntl", "sendto", "sendmsg"]

  /// Whether a process may be traced here.
  static let isAllowed: Bool = {
    let works = ChildProcess.succeeds(["strace", "-f", "-qq", "-o", "/dev/null", "true"])
    if !works {
      print("*** strace is missing or may not trace here (ptrace): kills at named points and power cuts are NOT TESTED ***")
    }
    return works
  }()

  /// Records all calls and their data.
  static func recording(to log: URL, data: Bool) -> [String] {
    // The filter in the kernel makes everything else run at full speed.
    ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", data ? "1000000000" : "4096", "-o", log.path]
      + ["-e", "trace=" + (changes + context).joined(separator: ",")]
  }

  /// Kills the process when a thread enters a call for the `occurrence`th time with that path; the call isn't made.
  ///
  /// - Parameter path: The first that the call has; nil: any.
  static func killing(at call: String, path: String?, occurrence: Int) -> [String] {
    injecting("signal=SIGKILL:when=\(occurrence)", into: call, path: path)
  }

  /// Tampers with a call that has that path.
  ///
  /// - Parameter fault: As strace's `inject` takes it; its `when` counts each thread's calls for itself.
  static func injecting(_ fault: String, into call: String, path: String?) -> [String] {
    // Without the filter in the kernel: strace 6.1 doesn't tamper with what that one stops. Not as the parent, so that it can let go.
    ["strace", "-D", "-f", "-qq", "-o", "/dev/null"] + (path.map { ["-P", $0] } ?? [])
      + ["-e", "trace=\(call)", "-e", "inject=\(call):\(fault)"]
  }

  /// Ends the tampering; the process goes on.
  static func letGo(of pid: pid_t) {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("TracerPid:") }),
      let tracer = line.split(separator: "\t").last.flatMap({ pid_t($0) }), tracer > 0
    else { return }
    kill(tracer, SIGTERM)
  }
}

/// A system call that strace has logged with `-f -y -xx`.
struct SystemCall: Sendable {
  let thread: Int
  let name: String
  let arguments: [[UInt8]]
  /// Negative where it failed; nil where it never returned.
  let result: Int?
  /// What `-y` adds to the descriptor that a call returns.
  let resultPath: String?
  /// Lines of the log at which it began and returned.
  let begin: Int
  let end: Int

  /// The calls of a log in the order in which they returned.
  static func parse(_ log: URL) throws -> [SystemCall] {
    let bytes = Array(try Data(contentsOf: log))
    var calls: [SystemCall] = []
    var unfinished: [Int: (text: [UInt8], line: Int)] = [:]
    for (number, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
      guard let space = line.firstIndex(of: UInt8(ascii: " ")), let thread = Int(String(decoding: line[..<space], as: UTF8.self))
      else { continue }
      var text = Array(line[space...].drop { $0 == UInt8(ascii: " ") })
      var begin = number
      if text.hasSuffix(" <unfinished ...>") {
        unfinished[thread] = (text.dropLast(17), number)
        continue
      }
      if text.starts(with: "<... ".utf8), let (first, line) = unfinished.removeValue(forKey: thread),
        let resumed = text.firstRange(of: Array(" resumed>".utf8))
      {
        text = first + text[resumed.upperBound...]
        begin = line
      }
      if let call = SystemCall(thread, text, begin: begin, end: number) { calls.append(call) }
    }
    // Killed within a call.
    for (thread, (text, line)) in unfinished {
      if let call = SystemCall(thread, text + Array(") = ?".utf8), begin: line, end: Int.max) { calls.append(call) }
    }
    return calls
  }

  private init?(_ thread: Int, _ text: [UInt8], begin: Int, end: Int) {
    guard let open = text.firstIndex(of: UInt8(ascii: "(")), text[..<open].allSatisfy({ $0 != UInt8(ascii: " ") }) else { return nil }
    self.thread = thread
    (self.begin, self.end) = (begin, end)
    name = String(decoding: text[..<open], as: UTF8.self)
    var arguments: [[UInt8]] = []
    var depth = 0
    var start = open + 1
    var position = start
    // Within quotes there are only \x and digits, so that brackets count.
    scan: while position < text.count {
      switch text[position] {
      case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")") where depth == 0: break scan
      case UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: ",") where depth == 0:
        arguments.append(Array(text[start..<position]))
        start = position + 1
      default: break
      }
      position += 1
    }
    if position > start { arguments.append(Array(text[start..<min(position, text.count)])) }
    self.arguments = arguments.map { Array($0.drop { $0 == UInt8(ascii: " ") }) }
    let rest = text[min(position + 1, text.count)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "=") }
    let digits = rest.prefix { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
    result = Int(String(decoding: digits, as: UTF8.self))
    resultPath = Self.annotation(Array(rest))
  }

  var succeeded: Bool { result.map { $0 >= 0 } ?? false }

  /// The descriptor that is the argument.
  func descriptor(_ index: Int) -> Int? {
    guard index < arguments.count else { return nil }
    return Int(String(decoding: arguments[index].prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
  }

  func number(_ index: Int) -> Int? {
    guard index < arguments.count else { return nil }
    return Int(String(decoding: arguments[index], as: UTF8.self))
  }

  func text(_ index: Int) -> String { index < arguments.count ? String(decoding: arguments[index], as: UTF8.self) : "" }

  /// The bytes of a quoted argument, or of all quoted parts of it.
  func bytes(_ index: Int) -> [UInt8] { index < arguments.count ? Self.unquoted(arguments[index]) : [] }

  /// The path that an argument is: quoted, below the folder of the argument before it, or of a descriptor.
  func path(_ index: Int) -> String? {
    guard index < arguments.count else { return nil }
    let argument = arguments[index]
    guard argument.first == UInt8(ascii: "\"") else { return Self.annotation(argument) }
    let path = String(decoding: Self.unquoted(argument), as: UTF8.self)
    guard !path.hasPrefix("/"), index > 0, let folder = Self.annotation(arguments[index - 1]) else { return path }
    return folder + "/" + path
  }

  /// The paths that the call is about: the one that changes, and the new one of a rename.
  var paths: [String] {
    let indices =
      switch name {
      case "rename", "link", "symlink": [0, 1]
      case "renameat", "renameat2", "linkat": [1, 3]
      case "openat", "unlinkat", "mkdirat": [1]
      default: [0]
      }
    return indices.compactMap { path($0) }
  }

  /// What stands in `<…>` behind a descriptor; nil for what isn't a file.
  private static func annotation(_ argument: [UInt8]) -> String? {
    guard let open = argument.firstIndex(of: UInt8(ascii: "<")), let close = argument.lastIndex(of: UInt8(ascii: ">")), open < close
    else { return nil }
    let path = String(decoding: unescaped(argument[(open + 1)..<close]), as: UTF8.self)
    return path.hasPrefix("/") ? path : nil
  }

  private static func unquoted(_ argument: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, part) in argument.split(separator: UInt8(ascii: "\""), omittingEmptySubsequences: false).enumerated()
    where index % 2 == 1 { bytes += unescaped(part) }
    return bytes
  }

  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    func digit(_ byte: UInt8) -> UInt8 { byte < 0x3A ? byte &- 0x30 : (byte | 0x20) &- 0x57 }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4)
    var position = text.startIndex
    while position < text.endIndex {
      if text[position] == UInt8(ascii: "\\"), position + 3 < text.endIndex, text[position + 1] == UInt8(ascii: "x") {
        bytes.append(digit(text[position + 2]) << 4 | digit(text[position + 3]))
        position += 4
      } else {
        bytes.append(text[position])
        position += 1
      }
    }
    return bytes
  }
}

extension [UInt8] {
  fileprivate func hasSuffix(_ suffix: String) -> Bool { self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) }
}
