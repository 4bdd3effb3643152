import Foundation

enum TemporaryFolder {
  static func use<Value>(_ body: (URL) throws -> Value) throws -> Value {
    let folder = try make()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  static func make() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-cluster-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }
}
