import Foundation

/// A program that runs to its end while its memory is watched.
struct ChildProcess {
  let executable: URL
  let arguments: [String]

  /// Most bytes that it had in memory at a time.
  struct PeakMemory: Codable, Sendable {
    /// All that was resident (VmHWM), mapped files included.
    var resident = 0
    /// Without pages of files (RssAnon), as seen every 50 ms.
    var anonymous = 0

    mutating func include(_ other: PeakMemory) {
      resident = max(resident, other.resident)
      anonymous = max(anonymous, other.anonymous)
    }
  }

  /// - Parameters:
  ///   - output: File for standard output.
  ///   - errors: Whether standard error goes there too.
  /// - Throws: `BenchError.childFailed`.
  func run(output: URL, errors: Bool) throws -> PeakMemory {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    guard FileManager.default.createFile(atPath: output.path, contents: nil) else { throw BenchError.cannotWrite(output.path) }
    let file = try FileHandle(forWritingTo: output)
    process.standardOutput = file
    if errors { process.standardError = file }
    try process.run()
    let identifier = process.processIdentifier
    Interruption.began(process: identifier)
    defer { Interruption.ended(process: identifier) }
    var peak = PeakMemory()
    while process.isRunning {
      peak.include(Self.memory(of: identifier))
      Thread.sleep(forTimeInterval: 0.05)
    }
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw BenchError.childFailed(
        program: executable.lastPathComponent, status: process.terminationStatus, log: errors ? Self.end(of: output) : nil)
    }
    return peak
  }

  private static func end(of log: URL) -> String {
    let text = (try? Data(contentsOf: log)).map { String(decoding: $0.suffix(10_000), as: UTF8.self) } ?? ""
    return text.split(separator: "\n").suffix(10).joined(separator: "\n")
  }

  /// From `/proc/…/status`, which gives units of 1024 bytes; 0 where it is gone.
  private static func memory(of process: Int32) -> PeakMemory {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    func bytes(_ field: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
      return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 } ?? 0
    }
    return PeakMemory(resident: bytes("VmHWM"), anonymous: bytes("RssAnon"))
  }
}
