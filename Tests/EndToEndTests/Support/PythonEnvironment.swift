import Foundation
import Testing

/// A Python of its own with packages from PyPI: below `.build`, so that it is made once a machine.
struct PythonEnvironment: Sendable {
  let folder: URL

  var python: String { program("python") }

  /// - Returns: Path of a program that a package brought.
  func program(_ name: String) -> String { folder.appending(path: "bin/\(name)").path }

  /// Cancels the test, with a line that can't be overlooked, where packages can't be had.
  ///
  /// - Parameter requirements: As pip takes them, with exact versions.
  static func having(_ requirements: String...) async throws -> PythonEnvironment {
    try await Makers.shared.environment(requirements)
  }

  /// Makes each environment once, whatever tests ask for it.
  private actor Makers {
    static let shared = Makers()
    private var made: [[String]: Task<PythonEnvironment?, any Error>] = [:]

    func environment(_ requirements: [String]) async throws -> PythonEnvironment {
      let task = made[requirements] ?? Task { try await PythonEnvironment.make(requirements) }
      made[requirements] = task
      guard let environment = try await task.value else {
        try Test.cancel("PyPI is out of reach: \(requirements.joined(separator: ", ")) can't be had")
      }
      return environment
    }
  }

  private static func make(_ requirements: [String]) async throws -> PythonEnvironment? {
    let name = requirements.joined(separator: "+").replacing("==", with: "-")
    let environment = PythonEnvironment(folder: packageFolder.appending(path: ".build/python/\(name)"))
    let marker = environment.folder.appending(component: "complete")
    if FileManager.default.fileExists(atPath: marker.path) { return environment }
    try? FileManager.default.removeItem(at: environment.folder)
    let creation = try await Program.run(["python3", "-m", "venv", environment.folder.path])
    try #require(creation.status == 0, "python3 -m venv: \(creation.output)\(creation.errors)")
    let installation = try await Program.run([environment.python, "-m", "pip", "install", "--quiet", "--no-input"] + requirements)
    guard installation.status == 0 else {
      // A version that isn't there is our mistake, an index that isn't there isn't.
      let signs = ["Failed to establish", "Temporary failure", "timed out", "ProxyError"]
      let isOutOfReach = signs.contains(where: installation.errors.contains)
      try #require(isOutOfReach, "pip install \(requirements): \(installation.errors)")
      FileHandle.standardError.write(
        Data("\n*** NOT TESTED: PyPI is out of reach, so \(requirements.joined(separator: ", ")) can't be had ***\n\n".utf8))
      return nil
    }
    try Data().write(to: marker)
    return environment
  }

  private static var packageFolder: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }
}
