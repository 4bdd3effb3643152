import Foundation

/// A folder of its own for a test, removed with the instance.
final class TemporaryFolder {
  let url = FileManager.default.temporaryDirectory.appending(component: "checkpoint-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  func file(_ name: String) -> URL { url.appending(component: name) }

  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> URL {
    try Data(bytes).write(to: file(name))
    return file(name)
  }
}
