import Crypto
import Foundation
import Testing

/// A Python of its own with packages from PyPI, below `.build`, so that it is made once.
struct PythonEnvironment: Sendable {
  let folder: URL

  /// Path of the interpreter.
  var python: String { program("python") }

  /// Path of a program that a package brought.
  func program(_ name: String) -> String { folder.appending(path: "bin/\(name)").path }

  /// The environment of that name, which the first who asks for it makes, whatever processes ask.
  ///
  /// Cancels the test, with a line that can't be overlooked, where PyPI is out of reach.
  ///
  /// - Parameter requirements: As pip takes them, with exact versions.
  static func named(_ name: String, _ requirements: String...) async throws -> PythonEnvironment {
    let hash = SHA256.hash(data: Data(requirements.joined(separator: "\n").utf8)).prefix(4).map {
      String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
    }
    let environment = PythonEnvironment(folder: allFolder.appending(component: "\(name)-\(hash.joined())"))
    if environment.isComplete { return environment }
    try FileManager.default.createDirectory(at: allFolder, withIntermediateDirectories: true)
    let lock = try await environment.locked()
    defer { close(lock) }
    var isThere = environment.isComplete
    if !isThere { isThere = try await environment.make(requirements) }
    guard isThere else {
      try Test.cancel("PyPI is out of reach, so \(requirements.joined(separator: ", ")) can't be had")
    }
    return environment
  }

  private static let allFolder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build/python")

  private var marker: URL { folder.appending(component: "complete") }
  private var isComplete: Bool { FileManager.default.fileExists(atPath: marker.path) }

  /// Waits for others that make the same environment.
  private func locked() async throws -> Int32 {
    let lock = open(folder.path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    try #require(lock >= 0, "\(folder.path).lock can't be opened")
    let result = await Program.onThread { flock(lock, LOCK_EX) }
    try #require(result == 0)
    return lock
  }

  /// - Returns: Whether the packages could be had.
  private func make(_ requirements: [String]) async throws -> Bool {
    try? FileManager.default.removeItem(at: folder)
    let creation = try await Program.run(["python3", "-m", "venv", folder.path])
    try #require(creation.status == 0, "python3 -m venv (Debian: apt install python3-venv): \(creation.output)\(creation.errors)")
    let options = ["--quiet", "--no-input", "--no-compile", "--only-binary=:all:", "--retries", "2", "--timeout", "30"]
    let installation = try await Program.run([python, "-m", "pip", "install"] + options + requirements, limit: 600)
    guard installation.status == 0 else {
      // A version that isn't there is our mistake, an index that isn't there isn't.
      let isOutOfReach = ["Retrying (Retry(", "ConnectionError", "NewConnectionError", "TimeoutError"].contains(
        where: installation.errors.contains)
      try #require(isOutOfReach || installation.status == 124, "pip install \(requirements): \(installation.errors)")
      let line = "*** NOT TESTED: PyPI is out of reach, so \(requirements.joined(separator: ", ")) can't be had ***"
      FileHandle.standardError.write(Data("\n\(line)\n\n".utf8))
      return false
    }
    try Data().write(to: marker)
    return true
  }
}
