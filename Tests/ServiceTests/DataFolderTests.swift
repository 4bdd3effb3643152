import Foundation
import Service
import Testing

@Suite struct DataFolderTests {
  @Test func itIsMadeForItsOwnerOnly() throws {
    let folder = try TemporaryFolder()
    let data = try DataFolder(folder.url.appending(path: "a/b"))
    for path in ["a/b", "a/b/work", "a/b/artifacts"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.url.appending(path: path).path)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o700)
    }
    #expect(data.folders(for: "x").artifact.path == folder.url.path + "/a/b/artifacts/x")
    #expect(data.folders(for: "x").work.path == folder.url.path + "/a/b/work/x")
  }

  @Test func aSecondDaemonIsRefusedUntilTheFirstIsGone() throws {
    let folder = try TemporaryFolder()
    let inUse = DataFolder.LockError.inUse(folder: folder.url.path, pid: "\(getpid())")
    try DataFolder.requireUnused(folder.url)
    var first: DataFolder? = try DataFolder(folder.url)
    #expect(throws: inUse) { try DataFolder(folder.url) }
    #expect(throws: inUse) { try DataFolder.requireUnused(folder.url) }
    #expect(inUse.description.contains("pid \(getpid())"))
    #expect(first != nil)
    first = nil
    try DataFolder.requireUnused(folder.url)
    _ = try DataFolder(folder.url)
  }

  @Test func aFileInItsPlaceIsRefused() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("data")
    let error = #expect(throws: DataFolder.LockError.self) { try DataFolder(file) }
    #expect(error?.description.contains(file.path) == true)
  }
}
