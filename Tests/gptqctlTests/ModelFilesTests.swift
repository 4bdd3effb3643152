import Foundation
import Testing
import gptqctl

@Suite struct ModelFilesTests {
  private func list(_ names: [String], links: [String: String] = [:]) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(component: "gptqctl-files-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in names {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data().write(to: file)
    }
    for (name, target) in links {
      try FileManager.default.createSymbolicLink(atPath: folder.appending(path: name).path, withDestinationPath: target)
    }
    return try ModelFiles.list(folder).map { "\($0.path)" }
  }

  @Test("All files but hidden ones are taken, also those behind links, as a Hub cache has them")
  func takesFiles() throws {
    let names = ["config.json", "b/c.txt", "b/a.txt", ".gitattributes", ".cache/x", "b/.hidden", "blob"]
    #expect(try list(names, links: ["model.safetensors": "blob"]) == ["b/a.txt", "b/c.txt", "blob", "config.json", "model.safetensors"])
  }

  @Test(
    "What the server wouldn't take is named",
    arguments: [["a b"], ["x", "ä"], ["a/b/c/d/e/f/g/h/i"], [String(repeating: "x", count: 97)], [".hidden"], []])
  func refuses(names: [String]) {
    let error = #expect(throws: ClientError.self) { try list(names) }
    #expect(error?.exitStatus == 64)
  }

  @Test("A link to nothing and a link to itself are named")
  func refusesBadLinks() {
    #expect(throws: ClientError.self) { try list(["x"], links: ["y": "nowhere"]) }
    #expect(throws: ClientError.self) { try list(["x"], links: ["y": "y"]) }
    #expect(throws: ClientError.self) { try list(["a/x"], links: ["a/up": "."]) }
  }
}
