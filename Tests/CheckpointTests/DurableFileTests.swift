import Checkpoint
import Foundation
import Testing

@Suite struct DurableFileTests {
  @Test("Writing replaces a file and leaves nothing else")
  func write() throws {
    let folder = try TemporaryFolder()
    for text in ["first", "second, longer", ""] {
      try DurableFile.write(Data(text.utf8), to: folder.file("a.json"))
      #expect(try String(contentsOf: folder.file("a.json"), encoding: .utf8) == text)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
    }
  }

  @Test("A failed write names the file and leaves nothing")
  func failure() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder.file("taken"), withIntermediateDirectories: false)
    let error = #expect(throws: CheckpointError.self) { try DurableFile.write(Data([1]), to: folder.file("taken")) }
    #expect(error == .cannotWrite(file: "taken", reason: "Is a directory"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["taken"])
    let missing = #expect(throws: CheckpointError.self) { try DurableFile.write(Data([1]), to: folder.file("none/a.json")) }
    #expect(missing?.description.hasPrefix("a.json can't be written: ") == true)
  }

  @Test("A folder is published under its name")
  func move() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(at: folder.file("staging"), withIntermediateDirectories: false)
    try folder.write([1], to: "staging/a")
    try DurableFile.move(folder.file("staging"), to: folder.file("artifact"))
    #expect(try Data(contentsOf: folder.file("artifact/a")) == Data([1]))
    #expect(throws: CheckpointError.cannotWrite(file: "b", reason: "No such file or directory")) {
      try DurableFile.move(folder.file("none"), to: folder.file("b"))
    }
  }

  @Test("Only folders are synced as folders")
  func syncFolder() throws {
    let folder = try TemporaryFolder()
    try DurableFile.syncFolder(folder.url)
    #expect(throws: CheckpointError.cannotWrite(file: "a", reason: "Not a directory")) {
      try DurableFile.syncFolder(try folder.write([1], to: "a"))
    }
    #expect(throws: CheckpointError.cannotWrite(file: "none", reason: "No such file or directory")) {
      try DurableFile.syncFolder(folder.file("none"))
    }
  }
}
