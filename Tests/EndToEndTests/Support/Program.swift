import Foundation

/// A program that runs to its end beside the tests.
enum Program {
  struct Result: Sendable {
    /// 124 where it took too long and was killed.
    let status: Int32
    /// Standard output.
    let output: String
    /// Standard error.
    let errors: String
  }

  /// - Parameters:
  ///   - command: The program, looked up in `PATH`, and its arguments.
  ///   - environment: Added to that of the tests; an empty value removes a variable.
  ///   - limit: Seconds after which it is killed.
  static func run(
    _ command: [String], environment: [String: String] = [:], in folder: URL? = nil, limit: Int = 300
  ) async throws -> Result {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["timeout", "--kill-after=5", "\(limit)"] + command
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }.filter { !$0.value.isEmpty }
    if let folder { process.currentDirectoryURL = folder }
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    async let outputText = onThread { String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    async let errorText = onThread { String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    let texts = await (outputText, errorText)
    let status = await onThread {
      process.waitUntilExit()
      return process.terminationStatus
    }
    return Result(status: status, output: texts.0, errors: texts.1)
  }

  /// Runs what blocks on a thread of its own.
  static func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: body()) }
    }
  }
}
